import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTrustPublisher } from '../../certs/trust/trust-publisher.ts';
import type { TrustState } from '../../certs/trust/trust-state.ts';
import { createTrustStore } from '../../certs/trust/trust-store.ts';
import { rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import { TRUST_STATE_SECRET, TRUST_STATE_SECRET_TYPE } from '../../names/certs-state.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { rootsOf } from '../support/trust-documents.ts';

const system = createTestAuthority('system');
const roots = rootsOf(system);
const NOW = 1_795_305_600;
const HASH = 'ab'.repeat(32);
const STATE: TrustState = {
  version: 7,
  rootSets: [rootsSha256(nodeCrypto, rootsToJson(roots))],
  revoked: {
    certificates: [{ podUid: 'p', until: NOW + 100 }],
    users: [{ user: 'mallory' }],
    grants: [{ ownerKeySha256: HASH, keySha256: HASH, enclave: 'e', until: NOW + 100 }],
  },
  operatorRevoked: ['eve'],
  tokenKeys: [{ kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43), kid: 'k' }],
  epoch: { current: new Uint8Array(32), previous: new Uint8Array(32), at: NOW },
};

/** The Secret as it would stand there. */
async function textOf(state: TrustState): Promise<string> {
  let data: Record<string, string> = {};
  const create = async (_: unknown, object: { data: Record<string, string> }) => {
    data = object.data;
    return object;
  };
  await createTrustStore({ create } as unknown as Kube, 'n').save(state);
  return Buffer.from(data['state.json'] ?? '', 'base64').toString();
}

/** What somebody who opens it with this text gets. */
async function load(text: string): Promise<TrustState | undefined> {
  const secret = {
    metadata: { name: TRUST_STATE_SECRET, namespace: 'n' },
    type: TRUST_STATE_SECRET_TYPE,
    data: { 'state.json': Buffer.from(text).toString('base64') },
  };
  return createTrustStore({ get: async () => secret } as unknown as Kube, 'n').load();
}

test('a state is read as it was written, and without what only a newer version knows', async () => {
  const text = await textOf(STATE);
  expect(await load(text)).toEqual(STATE);
  expect(await load(text.replace('{', '{"later":[1],'))).toEqual(STATE);
  expect(await load(text.replace('"operatorRevoked":["eve"],', ''))).toEqual({
    ...STATE,
    operatorRevoked: [],
  });
});

/** A path to a member anywhere in it, and what is put there. */
const change = fc.record({
  path: fc.array(fc.nat(6), { minLength: 1, maxLength: 5 }),
  value: fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom(null, [], {}, -1, 1e300, 2 ** 53, 'x'.repeat(300), [null], [[[[[[]]]]]], [{}]),
  ),
});

function changed(text: string, { path, value }: { path: readonly number[]; value: unknown }): string {
  const whole: unknown = JSON.parse(text);
  let at = whole as Record<string, unknown>;
  for (const [depth, step] of path.entries()) {
    const keys = Object.keys(at);
    const key = keys[step % Math.max(1, keys.length)] ?? '0';
    const next = at[key];
    if (depth === path.length - 1 || typeof next !== 'object' || next === null) {
      at[key] = value;
      break;
    }
    at = next as Record<string, unknown>;
  }
  return JSON.stringify(whole);
}

test('a state that somebody has damaged is said to be, or is good enough to publish', async () => {
  const text = await textOf(STATE);
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(change, async (each) => {
      let stored: TrustState | undefined;
      try {
        stored = await load(changed(text, each));
      } catch (error) {
        expect(String(error)).toMatch(
          /^Error: Secret enclave-certs-trust-state is damaged \(.+\): restore it/,
        );
        refused += 1;
        return;
      }
      const opening = createTrustPublisher({
        crypto: nodeCrypto,
        store: { load: async () => stored, save: async () => undefined },
        stored,
        system: { certificate: { spki: system.key.spki }, sign: system.key.sign } as never,
        roots,
        pcrSelection: { hash: 'sha256', pcrs: [0] },
        now: () => NOW,
        random: (bytes) => new Uint8Array(randomBytes(bytes)),
      });
      const other = await opening.then(
        () => undefined,
        (error: Error) => error.message,
      );
      if (other !== undefined) expect(other).toMatch(/not of one time/);
    }),
    { numRuns: 1500 },
  );
  expect(refused).toBeGreaterThan(500);
});

test.each([
  ['deep', '['.repeat(100_000)],
  ['huge', `{"version":1,"x":"${'y'.repeat(1024 * 1024)}"}`],
  ['no object', 'null'],
  ['of no time', '{"version":1}'],
])('a state that is %s is damaged', async (_, text) => {
  await expect(load(text)).rejects.toThrow('is damaged');
});
