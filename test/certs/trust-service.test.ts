import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { issue } from '../../certs/issue/issue.ts';
import { componentProfile } from '../../certs/issue/profiles.ts';
import { createTrustPublisher } from '../../certs/trust/trust-publisher.ts';
import { trustHandlers } from '../../certs/trust/trust-service.ts';
import { encodeGrant, GRANT_REVOCATION_VERSION, grantMessage } from '../../formats/evidence/grant.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import { parseTrustDocument } from '../../formats/evidence/trust-document.ts';
import { ISSUERS } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import type { RpcCall } from '../../platform/rpc/rpc-call.ts';
import { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import type { WatchResponse } from '../../proto/gen/enclave_licensing/trust/v1/trust.ts';
import { memoryStore, NOW, serial, sha256Hex, testAuthority } from './support.ts';

async function service(restMs = 0, caller = 'launcher') {
  const authority = testAuthority();
  const roots = Object.fromEntries(
    ISSUERS.map((each) => [each, [authority.issuer(each).certificate.der]]),
  ) as unknown as Roots;
  const clock = { now: NOW };
  /** Enclaves whose pods live, with their owner keys. */
  const living = new Map<string, string[]>();
  const now = () => clock.now;
  const leads = { now: true };
  const publisher = await createTrustPublisher({
    crypto: nodeCrypto,
    store: memoryStore(),
    stored: undefined,
    system: authority.issuer('system'),
    roots,
    pcrSelection: { hash: 'sha256', pcrs: [0] },
    now,
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
  });
  const handlers = trustHandlers({
    crypto: nodeCrypto,
    publisher,
    roots,
    pod: async () => undefined,
    ownerKeys: async (enclave) => living.get(enclave) ?? [],
    launchedEnclaves: async () => new Set(living.keys()),
    now,
    holds: () => leads.now,
    restMs,
  });
  const profile = componentProfile(generateKey().spki, [`${caller}.enclave-licensing.internal`]);
  const issued = issue(profile, {
    crypto: nodeCrypto,
    key: authority.issuer('system'),
    now: NOW,
    serial: serial(),
  });
  if (!issued.ok) throw new Error(issued.message);
  const abort = new AbortController();
  const call: RpcCall = {
    peer: { address: '127.0.0.1', certificate: issued.value.certificate },
    requestId: 'request-1',
    signal: abort.signal,
    log: silentLogger,
  };
  const watch = handlers.watch({ version: 0n }, call)[Symbol.asyncIterator]();
  const revoke = (user: string) =>
    handlers
      .revoke({ subject: { $case: 'user', value: { user } } }, call)
      .then(({ version }) => Number(version));
  return { watch, revoke, clock, leads, publisher, abort, living, handlers, call };
}

function versionOf(result: IteratorResult<WatchResponse>): number {
  const parsed = result.done
    ? undefined
    : parseTrustDocument(result.value.trustDocument?.document ?? new Uint8Array());
  return parsed?.ok ? parsed.value.version : 0;
}

test('a watch waits for what is newer; a slow reader misses what lies between, never the newest', async () => {
  const { watch, revoke, abort } = await service();
  const first = versionOf(await watch.next());
  const waiting = watch.next();
  const second = await revoke('mallory');
  expect(versionOf(await waiting)).toBe(second);
  expect(second).toBe(first + 1);
  await revoke('eve');
  const last = await revoke('trudy');
  expect(versionOf(await watch.next())).toBe(last);
  const end = watch.next();
  abort.abort();
  expect((await end).done).toBe(true);
});

test('what changes while a stream rests goes together', async () => {
  const { watch, revoke } = await service(1000);
  await watch.next();
  const users = ['mallory', 'eve', 'trudy', 'oscar'];
  const next = watch.next();
  for (const user of users) await revoke(user);
  const { value } = await next;
  const document = parseTrustDocument(value?.trustDocument?.document ?? new Uint8Array());
  expect(document.ok && document.value.revoked.users.map(({ user }) => user)).toEqual(users);
});

test('a watch ends with the certificate that it began with', async () => {
  const { watch, clock, publisher } = await service();
  expect(versionOf(await watch.next())).toBe(1);
  clock.now += 60;
  await publisher.turn();
  expect(versionOf(await watch.next())).toBe(2);
  clock.now += 24 * 3600;
  await publisher.turn();
  await expect(watch.next()).rejects.toMatchObject({ code: 'caller-unknown', status: 'UNAUTHENTICATED' });
});

test('who may lead no longer answers nobody, neither on a stream that stands nor anew', async () => {
  const { watch, revoke, leads, publisher, clock } = await service();
  expect(versionOf(await watch.next())).toBe(1);
  leads.now = false;
  clock.now += 60;
  await publisher.turn();
  await expect(watch.next()).rejects.toMatchObject({ status: 'UNAVAILABLE' });
  await expect(revoke('mallory')).rejects.toMatchObject({ status: 'UNAVAILABLE' });
  expect(publisher.published.current().document.revoked.users).toEqual([]);
});

test('revoking the same twice is no new document, but for its end', async () => {
  const { revoke } = await service();
  const once = await revoke('mallory');
  expect(await revoke('mallory')).toBe(once);
});

test('a grant is revoked by the owner key of an enclave that runs only, and by itself at its end', async () => {
  const { handlers, call, living, publisher, clock } = await service();
  const owner = generateKey();
  const keySha256 = 'ab'.repeat(32);
  const revoke = (enclave: string, signer = owner) => {
    const { spki: ownerKey } = signer;
    const json = encodeGrant({
      v: GRANT_REVOCATION_VERSION,
      ...{ enclave, ownerKey, keySha256, user: 'bob', notAfter: NOW + 100 },
    });
    const signature = Buffer.from(signer.sign(grantMessage(json, GRANT_REVOCATION_VERSION)));
    return handlers.revoke(
      { subject: { $case: 'grant', value: { revocation: Buffer.from(json), signature } } },
      call,
    );
  };
  const grants = () => publisher.published.current().document.revoked.grants;
  await expect(revoke('e1')).rejects.toMatchObject({ code: 'revocation-foreign', status: 'NOT_FOUND' });
  living.set('e1', [sha256Hex(owner.spki)]);
  await expect(revoke('e1', generateKey())).rejects.toMatchObject({ code: 'revocation-foreign' });
  await expect(revoke('e2')).rejects.toMatchObject({ code: 'revocation-foreign' });
  expect(grants()).toEqual([]);
  const { version } = await revoke('e1');
  expect(grants()).toEqual([
    { ownerKeySha256: sha256Hex(owner.spki), keySha256, enclave: 'e1', until: NOW + 100 },
  ]);
  expect((await revoke('e1')).version).toBe(version);
  clock.now += 100;
  await publisher.turn();
  expect(grants()).toEqual([]);
});

test('room for grants is made by launched enclaves that are gone, and by no other', async () => {
  const { handlers, call, living, publisher } = await service();
  const owner = generateKey();
  living.set('e1', [sha256Hex(owner.spki)]).set('apps.web', []);
  const entry = (enclave: string, i: number) => ({
    ...{
      ownerKeySha256: i.toString(16).padStart(64, 'c'),
      keySha256: 'ab'.repeat(32),
      enclave,
      until: NOW + 50,
    },
  });
  const fill = (grants: readonly ReturnType<typeof entry>[]) =>
    publisher.change(({ revoked }) => ({ revoked: { ...revoked, grants } }));
  const revoke = () => {
    const json = encodeGrant({
      v: GRANT_REVOCATION_VERSION,
      ...{
        enclave: 'e1',
        ownerKey: owner.spki,
        keySha256: 'cd'.repeat(32),
        user: 'bob',
        notAfter: NOW + 100,
      },
    });
    const signature = Buffer.from(owner.sign(grantMessage(json, GRANT_REVOCATION_VERSION)));
    const value = { revocation: Buffer.from(json), signature };
    return handlers.revoke({ subject: { $case: 'grant', value } }, call);
  };
  const enclaves = () => publisher.published.current().document.revoked.grants.map(({ enclave }) => enclave);
  const stay = Array.from({ length: 1500 }, (_, i) => entry(i % 2 === 0 ? 'e1' : 'apps.web', i));
  fill(stay);
  await expect(revoke()).rejects.toMatchObject({ code: 'revocations-full', status: 'RESOURCE_EXHAUSTED' });
  fill([
    entry('e1', 0),
    entry('apps.gone', 1),
    ...Array.from({ length: 1400 }, (_, i) => entry('egone', i + 2)),
  ]);
  await revoke();
  expect(enclaves()).toEqual(['e1', 'apps.gone', 'e1']);
});

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.constantFrom('', '*', 'a'.repeat(9000)),
);
const blob = fc
  .oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.json({ maxDepth: 4 }).map((json) => Buffer.from(json)),
    fc.constant(Buffer.from('{"v":"enclave-grant-revoke/1",'.concat('"a":['.repeat(5000)))),
  )
  .map((bytes) => Buffer.from(bytes));
const subject = fc.oneof(
  fc.record({ $case: fc.constant('user' as const), value: fc.record({ user: text }) }),
  fc.record({
    $case: fc.constant('grant' as const),
    value: fc.record({ revocation: blob, signature: blob }),
  }),
  fc.record({
    $case: fc.constant('certificate' as const),
    value: fc.record({ podUid: text, certificate: blob, namespace: text, pod: text }),
  }),
  fc.constant(undefined),
);

test.each(['launcher', 'front', 'agent.node-1'])(
  'whatever %s sends to be revoked, or as token keys, is refused with a reason, or is a user’s name',
  async (caller) => {
    const { handlers, call, publisher } = await service(0, caller);
    const before = publisher.published.current().document;
    await fc.assert(
      fc.asyncProperty(subject, fc.oneof(text, fc.json({ maxDepth: 5 })), async (each, jwks) => {
        const answers = await Promise.allSettled([
          handlers.revoke({ subject: each }, call),
          handlers.setTokenKeys({ jwks }, call),
        ]);
        for (const answer of answers)
          if (answer.status === 'rejected') expect(answer.reason).toBeInstanceOf(RpcRefusal);
          else expect([caller, each?.$case]).toEqual(['launcher', 'user']);
      }),
      { numRuns: 200 },
    );
    const { revoked, tokenKeys } = publisher.published.current().document;
    expect(revoked).toMatchObject({ certificates: [], grants: [] });
    expect(tokenKeys).toEqual(before.tokenKeys);
  },
);
