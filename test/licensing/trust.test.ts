import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { type Roots, rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import { signTrustDocument, type TokenKey } from '../../formats/evidence/trust-document.ts';
import { publishTokenKeys } from '../../licensing/front/tokens/publish-keys.ts';
import { judgeComponent } from '../../licensing/trust/component-role.ts';
import { followTrust } from '../../licensing/trust/trust-client.ts';
import { keepTrustFrom, TrustKeeper } from '../../licensing/trust/trust-keeper.ts';
import { OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH } from '../../names/oids.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import { systemClock } from '../../platform/run/clock.ts';
import { createTestAuthority, type TestAuthority } from '../support/test-authority.ts';

const over: AbortController[] = [];
afterEach(() => {
  for (const each of over.splice(0)) each.abort();
});
const signal = (): AbortSignal => {
  const abort = new AbortController();
  over.push(abort);
  return abort.signal;
};

const others = createTestAuthority('others');
function rootsOf(system: TestAuthority): Roots {
  return {
    system: [system.root],
    enclaves: [others.root],
    users: [others.root],
    'attestation-keys': [others.root],
  };
}
function documentOf(signer: TestAuthority, version: number, roots: Roots, keys: readonly TokenKey[] = []) {
  const epoch = new Uint8Array(32).fill(version);
  return signTrustDocument(
    nodeCrypto,
    {
      v: 'enclave-trust/1',
      version,
      issuedAt: 1_795_305_600,
      roots,
      rootSets: [rootsSha256(nodeCrypto, rootsToJson(roots))],
      revoked: { certificates: [], users: [], grants: [] },
      pcrSelection: { hash: 'sha256', pcrs: [0] },
      tokenKeys: { keys },
      epoch: { current: epoch, previous: epoch, at: 1_795_305_600 },
    },
    signer.key.spki,
    signer.key.sign,
  );
}

test('trust goes forward only, and from a root that is held to the next', () => {
  const [first, second, stranger] = ['a', 'b', 'c'].map((name) => createTestAuthority(name));
  if (!first || !second || !stranger) throw new Error('three were made');
  const keeper = new TrustKeeper(nodeCrypto, rootsOf(first));
  const seen: number[] = [];
  keeper.systemRoots.onChange((roots) => seen.push(roots.length));
  const startSet = rootsSha256(nodeCrypto, rootsToJson(rootsOf(first)));
  expect(keeper.acceptsRoots(startSet)).toBe(true);
  expect(keeper.offer(documentOf(stranger, 1, rootsOf(stranger)))).toMatch(/no system root held/);
  expect(keeper.offer(documentOf(first, 1, rootsOf(first)))).toBeUndefined();
  expect(keeper.offer(documentOf(first, 1, rootsOf(first)))).toMatch(/version 1/);
  expect(seen).toEqual([]);
  const both = { ...rootsOf(first), system: [first.root, second.root] };
  expect(keeper.offer(documentOf(first, 2, both))).toBeUndefined();
  expect(keeper.offer(documentOf(second, 3, rootsOf(second)))).toBeUndefined();
  expect(seen).toEqual([2, 1]);
  expect(keeper.offer(documentOf(first, 4, rootsOf(first)))).toMatch(/no system root held/);
  expect(keeper.version).toBe(3);
  expect(keeper.acceptsRoots(startSet)).toBe(false);
});

test('a file without roots stops the start with one clear line', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'roots-'));
  const file = join(folder, 'roots.json');
  writeFileSync(file, '{"system":[]}');
  await expect(keepTrustFrom(nodeCrypto, file)).rejects.toThrow(/roots\.json/);
  rmSync(folder, { recursive: true });
});

test('a component is judged by chain, role, name, usage and time', () => {
  const system = createTestAuthority('system');
  const name = 'enclave-certs.enclave-licensing.svc';
  const judge = judgeComponent(() => rootsOf(system), systemClock, name, 'server');
  const leaf = (authority: TestAuthority, fields: object = {}) =>
    authority.issue({ dns: [name], ...fields }).chain[0];
  expect(judge(leaf(system))).toBeUndefined();
  for (const wrong of [
    undefined,
    leaf(createTestAuthority('system')),
    leaf(system, { dns: ['enclave-front.enclave-licensing.svc'] }),
    leaf(system, { extendedKeyUsage: [OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH] }),
    leaf(system, { extendedKeyUsage: [OID_EKU_SERVER_AUTH] }),
    leaf(system, { notBefore: 1_000_000, notAfter: 2_000_000 }),
  ])
    expect(judge(wrong)).toEqual(expect.any(String));
});

test('token keys are handed out until a document holds them, and again when it no longer does', async () => {
  const system = createTestAuthority('system');
  const roots = rootsOf(system);
  const keeper = new TrustKeeper(nodeCrypto, roots);
  const key = { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43), kid: 'k1' } as const;
  let failures = 2;
  let calls = 0;
  const client = {
    setTokenKeys: async ({ jwks }: { jwks: string }) => {
      calls += 1;
      if (failures > 0) {
        failures -= 1;
        throw new Error('away');
      }
      expect(JSON.parse(jwks)).toEqual({ keys: [key] });
      setImmediate(() => keeper.offer(documentOf(system, keeper.version + 1, roots, [key])));
      return { version: 1n };
    },
  };
  void publishTokenKeys(client, keeper, { keys: [key] }, silentLogger, signal());
  keeper.offer(documentOf(system, 1, roots));
  await vi.waitFor(() => expect(keeper.version).toBe(2), { timeout: 5000 });
  expect(calls).toBe(3);
  keeper.offer(documentOf(system, 3, roots, [key]));
  keeper.offer(documentOf(system, 4, roots));
  await vi.waitFor(() => expect(keeper.version).toBe(5), { timeout: 5000 });
  expect(calls).toBe(4);
});

test('following survives a service that breaks off, and asks only for what is newer', async () => {
  const system = createTestAuthority('system');
  const keeper = new TrustKeeper(nodeCrypto, rootsOf(system));
  const asked: bigint[] = [];
  const client = {
    async *watch({ version }: { version: bigint }) {
      asked.push(version);
      yield { trustDocument: documentOf(system, Number(version) + 1, rootsOf(system)) };
      throw new Error('connection lost');
    },
  };
  void followTrust(client, keeper, silentLogger, signal(), () => undefined);
  await vi.waitFor(() => expect(asked).toEqual([0n, 1n, 2n]), { timeout: 5000 });
});
