import { randomBytes } from 'node:crypto';
import { afterAll, expect, test } from 'vitest';
import { issue } from '../../certs/issue/issue.ts';
import { openIssuedLog } from '../../certs/issue/issued-log.ts';
import { componentProfile } from '../../certs/issue/profiles.ts';
import { createTrustPublisher } from '../../certs/trust/trust-publisher.ts';
import { trustHandlers } from '../../certs/trust/trust-service.ts';
import { openTrustStore } from '../../certs/trust/trust-store.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import { parseTrustDocument } from '../../formats/evidence/trust-document.ts';
import { ISSUERS } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import type { RpcCall } from '../../platform/rpc/rpc-call.ts';
import type { WatchResponse } from '../../proto/gen/enclave_licensing/trust/v1/trust.ts';
import { NOW, removeFolders, serial, temporaryFolder, testAuthority } from './support.ts';

afterAll(removeFolders);

function service() {
  const folder = temporaryFolder();
  const authority = testAuthority(folder);
  const roots = Object.fromEntries(
    ISSUERS.map((each) => [each, [authority.issuer(each).certificate.der]]),
  ) as unknown as Roots;
  const clock = { now: NOW };
  const now = () => clock.now;
  const publisher = createTrustPublisher({
    crypto: nodeCrypto,
    store: openTrustStore(folder),
    system: authority.issuer('system'),
    roots,
    pcrSelection: { hash: 'sha256', pcrs: [0] },
    now,
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
  });
  const handlers = trustHandlers({
    crypto: nodeCrypto,
    publisher,
    issued: openIssuedLog(folder, () => NOW),
    roots,
    now,
  });
  const profile = componentProfile(generateKey().spki, ['launcher.enclave-licensing.internal']);
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
  return { watch, revoke, clock, publisher, abort };
}

function versionOf(result: IteratorResult<WatchResponse>): number {
  const parsed = result.done
    ? undefined
    : parseTrustDocument(result.value.trustDocument?.document ?? new Uint8Array());
  return parsed?.ok ? parsed.value.version : 0;
}

test('a watch waits for what is newer; a slow reader misses what lies between, never the newest', async () => {
  const { watch, revoke, abort } = service();
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

test('a watch ends with the certificate that it began with', async () => {
  const { watch, clock, publisher } = service();
  expect(versionOf(await watch.next())).toBe(1);
  clock.now += 60;
  publisher.turn();
  expect(versionOf(await watch.next())).toBe(2);
  clock.now += 24 * 3600;
  publisher.turn();
  await expect(watch.next()).rejects.toMatchObject({ code: 'caller-unknown', status: 'UNAUTHENTICATED' });
});

test('revoking the same twice is no new document, but for its end', async () => {
  const { revoke } = service();
  const once = await revoke('mallory');
  expect(await revoke('mallory')).toBe(once);
});
