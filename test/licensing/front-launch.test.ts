import { sign } from 'node:crypto';
import { afterEach, expect, test, vi } from 'vitest';
import {
  encodeGrant,
  GRANT_REVOCATION_VERSION,
  type GrantVersion,
  grantMessage,
} from '../../formats/evidence/grant.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import type { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import { EnclaveState, Phase } from '../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import {
  type FrontFixture,
  follow,
  keySha256,
  launchRequest,
  startFrontFixture,
} from '../support/front-fixture.ts';
import type { FrontLimits } from '../support/front-under-test.ts';

let fixture: FrontFixture;
async function start(limits: FrontLimits = {}) {
  fixture = await startFrontFixture(limits);
  return { fixture, api: fixture.client(), ada: await fixture.token('ada') };
}
afterEach(() => fixture.close());

const EVERYTHING = { pageSize: 0, pageToken: '' };
const NO_GRANT = { grant: Buffer.alloc(0), grantSignature: Buffer.alloc(0) };

test('a launch tells each phase, ends in bundle and certificate, and is seen by its user only', async () => {
  const { api, ada } = await start();
  const key = generateKey();
  const request = launchRequest(key);
  const { enclave, phases, result } = await follow(api.launch(request, ada));
  expect(phases).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(enclave).toMatch(/^e[a-z2-7]{15}$/);
  expect(result.enclave).toMatchObject({
    id: enclave,
    profile: 'small',
    namespace: 'apps',
    state: EnclaveState.ENCLAVE_STATE_READY,
    endpoint: '127.1.2.3:8443',
    ownerKeySha256: keySha256(key),
  });
  expect(Buffer.from(result.bundle?.statement ?? []).toString()).toBe(
    `${enclave} ${request.nonce.toString('hex')}`,
  );
  expect(result.userCertificateChain.map(String)).toEqual(['certificate of ada']);
  expect(result.profile).toEqual({ name: 'small', specJson: '{"image":"app"}' });

  const fresh = await api.getEnclave({ id: enclave, nonce: Buffer.alloc(20, 9) }, ada);
  expect(Buffer.from(fresh.bundle?.statement ?? []).toString()).toContain('0909');
  expect((await api.listEnclaves(EVERYTHING, ada)).enclaves.map((each) => each.id)).toEqual([enclave]);
  const bob = await fixture.token('bob');
  expect((await api.listEnclaves(EVERYTHING, bob)).enclaves).toEqual([]);
  const { certificateRequest } = launchRequest();
  for (const attempt of [
    () => api.getEnclave({ id: enclave, nonce: Buffer.alloc(0) }, bob),
    () => api.getEnclave({ id: 'e2222222222222222', nonce: Buffer.alloc(0) }, bob),
    () => api.stopEnclave({ id: enclave }, bob),
    () => api.issueUserCertificate({ enclave, certificateRequest, ...NO_GRANT }, bob),
  ])
    await expect(attempt()).rejects.toMatchObject({ status: 'NOT_FOUND', code: 'enclave-unknown' });
  expect((await api.stopEnclave({ id: enclave }, ada)).enclave?.state).toBe(
    EnclaveState.ENCLAVE_STATE_STOPPED,
  );
  expect(fixture.launcher.pods.size).toBe(0);
  await expect(api.getEnclave({ id: enclave, nonce: Buffer.alloc(16) }, ada)).rejects.toMatchObject({
    status: 'FAILED_PRECONDITION',
  });
});

test('seats are taken before anything else, and freed by stop and by failure', async () => {
  const { api, ada } = await start({ seats: 1 });
  const first = await follow(api.launch(launchRequest(), ada));
  const calls = fixture.launcher.calls.length;
  await expect(follow(api.launch(launchRequest(), ada))).rejects.toMatchObject({
    status: 'RESOURCE_EXHAUSTED',
    code: 'no-seat',
  });
  expect(fixture.launcher.calls.length).toBe(calls);
  await api.stopEnclave({ id: first.enclave }, ada);
  for (const [profile, status, code, words] of [
    ['refused', 'FAILED_PRECONDITION', 'pod-refused', /failed calling webhook/],
    ['crash', 'FAILED_PRECONDITION', 'crash-loop', /exit code 7/],
  ] as const) {
    const error = await follow(api.launch(launchRequest(generateKey(), profile), ada)).catch(
      (caught: RpcRefusal) => caught,
    );
    expect(error).toMatchObject({ status, code });
    expect(String(error)).toMatch(words);
    expect(fixture.launcher.pods.size).toBe(0);
  }
  const { enclaves } = await api.listEnclaves(EVERYTHING, ada);
  expect(enclaves.map((each) => each.state)).toEqual([
    EnclaveState.ENCLAVE_STATE_FAILED,
    EnclaveState.ENCLAVE_STATE_FAILED,
    EnclaveState.ENCLAVE_STATE_STOPPED,
  ]);
  expect(enclaves[0]?.reason).toMatch(/exit code 7/);
  await follow(api.launch(launchRequest(), ada));
});

test('the same launch id joins the same launch, with any nonce and the same key only', async () => {
  const { api, ada } = await start();
  const key = generateKey();
  const request = launchRequest(key);
  fixture.launcher.holdAt = Phase.PHASE_CERTIFIED;
  const first = follow(api.launch(request, ada));
  const again = { ...launchRequest(key), launchId: request.launchId };
  const second = follow(fixture.client().launch(again, ada), (phase) => {
    if (phase === Phase.PHASE_CERTIFIED) fixture.launcher.release();
  });
  const [one, two] = await Promise.all([first, second]);
  expect(two.enclave).toBe(one.enclave);
  expect(String(Buffer.from(two.result.bundle?.statement ?? []))).toContain(again.nonce.toString('hex'));
  expect(fixture.launcher.calls.filter((call) => call.startsWith('launch'))).toHaveLength(1);
  const later = await follow(api.launch(request, ada));
  expect(later.enclave).toBe(one.enclave);
  for (const other of [
    { ...launchRequest(), launchId: request.launchId },
    { ...launchRequest(key, 'large'), launchId: request.launchId },
  ])
    await expect(follow(api.launch(other, ada))).rejects.toMatchObject({
      status: 'ALREADY_EXISTS',
      code: 'launch-id-reused',
    });
});

test('a launch goes on without its client, and ends when nobody comes for it', async () => {
  const { api, ada } = await start({ unattendedTimeoutMs: 60_000 });
  const leave = new AbortController();
  fixture.launcher.holdAt = Phase.PHASE_CREATED;
  const left = follow(api.launch(launchRequest(), { ...ada, signal: leave.signal }), () => leave.abort());
  await expect(left).rejects.toMatchObject({ name: 'AbortError' });
  // On the same connection: front has seen the cancellation when it answers this.
  await api.listEnclaves(EVERYTHING, ada);
  fixture.launcher.release();
  const { store, launches } = fixture.front;
  const [record] = await vi.waitFor(async () => {
    const ready = await store.enclavesIn(['ready']);
    expect(ready).toHaveLength(1);
    return ready;
  }, 15_000);
  await launches.sweep();
  expect((await store.findEnclave(record?.id ?? ''))?.state).toBe('ready');
  fixture.advance(61_000);
  await launches.sweep();
  await vi.waitFor(
    async () =>
      expect(await store.findEnclave(record?.id ?? '')).toMatchObject({
        state: 'failed',
        reasonCode: 'launch-unattended',
      }),
    15_000,
  );
  expect(fixture.launcher.pods.size).toBe(0);
  // One whose result was taken stays.
  const taken = await follow(api.launch(launchRequest(), ada));
  fixture.advance(3_600_000 - 70_000);
  await launches.sweep();
  expect((await store.findEnclave(taken.enclave))?.state).toBe('ready');
});

test('stopping a launch under way ends it for who waits, and leaves nothing', async () => {
  const { api, ada } = await start();
  fixture.launcher.holdAt = Phase.PHASE_STARTED;
  const waiting = follow(api.launch(launchRequest(), ada), async (phase, enclave) => {
    if (phase === Phase.PHASE_STARTED) await fixture.client().stopEnclave({ id: enclave }, ada);
  });
  await expect(waiting).rejects.toMatchObject({ status: 'ABORTED', code: 'launch-stopped' });
  expect(fixture.launcher.pods.size).toBe(0);
  expect(await fixture.front.store.seatsTaken()).toBe(0);
});

test('a grant by the owner key lets its user, key and enclave in, and nobody else', async () => {
  const { api, ada } = await start();
  const owner = generateKey();
  const guest = generateKey();
  const { enclave } = await follow(api.launch(launchRequest(owner), ada));
  const bob = await fixture.token('bob');
  const wish = (change: object = {}, signer = owner) => {
    const grant = Buffer.from(
      encodeGrant({
        v: 'enclave-grant/1',
        enclave,
        ownerKey: owner.spki,
        keySha256: keySha256(guest),
        user: 'bob',
        notAfter: Math.floor(Date.now() / 1000) + 600,
        ...change,
      }),
    );
    const grantSignature = sign('sha256', grantMessage(grant), {
      key: signer.privateKey,
      dsaEncoding: 'der',
    });
    return { enclave, certificateRequest: launchRequest(guest).certificateRequest, grant, grantSignature };
  };
  const { certificateChain } = await api.issueUserCertificate(wish(), bob);
  expect(certificateChain.map(String)).toEqual(['certificate of bob']);
  expect(fixture.launcher.calls.at(-1)).toBe(`issue ${enclave} bob granted`);
  for (const wrong of [wish({ user: 'eve' }), wish({ enclave: 'other' }), wish({}, guest)])
    await expect(api.issueUserCertificate(wrong, bob)).rejects.toMatchObject({ status: 'NOT_FOUND' });
  for (const wrong of [wish({ notAfter: 1 }), wish({ keySha256: keySha256(owner) })])
    await expect(api.issueUserCertificate(wrong, bob)).rejects.toMatchObject({
      status: 'PERMISSION_DENIED',
      code: 'grant-refused',
    });
  // Self-deployed enclaves are not in the store: the certificate service decides.
  await api.issueUserCertificate({ ...wish(), enclave: 'apps.billing', ...NO_GRANT }, bob);
  expect(fixture.launcher.calls.at(-1)).toBe('issue apps.billing bob owner');
});

test('a grant is taken back by its owner’s signature alone, whoever brings it', async () => {
  const { api, ada } = await start();
  const owner = generateKey();
  const { enclave } = await follow(api.launch(launchRequest(owner), ada));
  const bob = await fixture.token('bob');
  const signed = (change: object = {}, signer = owner, version: GrantVersion = GRANT_REVOCATION_VERSION) => {
    const revocation = Buffer.from(
      encodeGrant({
        ...{ v: version, enclave, ownerKey: owner.spki, keySha256: 'ab'.repeat(32), user: 'bob' },
        notAfter: Math.floor(Date.now() / 1000) + 600,
        ...change,
      }),
    );
    const options = { key: signer.privateKey, dsaEncoding: 'der' } as const;
    return { revocation, signature: sign('sha256', grantMessage(revocation, version), options) };
  };
  expect(await api.revokeGrant(signed(), bob)).toEqual({ trustDocumentVersion: 5n });
  expect(fixture.launcher.calls.at(-1)).toBe(`revoke ${enclave} ${'ab'.repeat(32)} signed`);
  const calls = fixture.launcher.calls.length;
  const other = generateKey();
  // One answer for an enclave that is not there and for one whose owner did not sign.
  for (const wrong of [
    signed({}, other),
    signed({ ownerKey: other.spki }, other),
    signed({ enclave: 'eaaaaaaaaaaaaaaa' }),
  ])
    await expect(api.revokeGrant(wrong, ada)).rejects.toMatchObject({
      status: 'NOT_FOUND',
      code: 'enclave-unknown',
    });
  await expect(api.revokeGrant(signed({ enclave: 'apps.billing' }, other), ada)).rejects.toMatchObject({
    code: 'grant-refused',
  });
  await expect(api.revokeGrant(signed({}, owner, 'enclave-grant/1'), ada)).rejects.toMatchObject({
    status: 'INVALID_ARGUMENT',
  });
  await expect(api.revokeGrant(signed())).rejects.toMatchObject({ status: 'UNAUTHENTICATED' });
  expect(fixture.launcher.calls).toHaveLength(calls);
  await api.revokeGrant(signed({ enclave: 'apps.billing', ownerKey: other.spki }, other), ada);
  expect(fixture.launcher.calls.at(-1)).toContain('revoke apps.billing');
});

test('one user cannot keep launcher, certificate service and TPMs busy alone', async () => {
  const { api, ada } = await start();
  const { certificateRequest } = launchRequest();
  const ask = () =>
    api.issueUserCertificate({ enclave: 'apps.billing', certificateRequest, ...NO_GRANT }, ada);
  const codes = await Promise.all(
    Array.from({ length: 200 }, () =>
      ask().then(
        () => 'issued',
        (error: RpcRefusal) => `${error.status} ${error.code}`,
      ),
    ),
  );
  expect(new Set(codes)).toEqual(new Set(['issued', 'RESOURCE_EXHAUSTED rate-limited']));
  expect(fixture.launcher.calls.length).toBeLessThan(130);
  const bob = await fixture.token('bob');
  await api.issueUserCertificate({ enclave: 'apps.billing', certificateRequest, ...NO_GRANT }, bob);
});
