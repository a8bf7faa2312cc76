import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toBase64url } from '../../formats/bytes/base64.ts';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import { SIDECAR_CONTAINER } from '../../names/sidecar.ts';
import { MUTATING_WEBHOOK_CONFIGURATIONS, PODS } from '../../platform/kube/resources.ts';
import type { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import type { LaunchResponse, LaunchResult } from '../../proto/gen/enclave_licensing/launcher/v1/launcher.ts';
import { container, type FakeEnclave } from '../support/fake-enclave.ts';
import { type LauncherFixture, launchWish, startLauncherFixture } from '../support/launcher-fixture.ts';
import { until } from '../support/until.ts';

let fixture: LauncherFixture;
beforeAll(async () => {
  fixture = await startLauncherFixture();
  await fixture.profile('small');
  await fixture.profile('tcp', { upstream: 'pod:8080' });
});
afterAll(() => fixture.close());

async function follow(
  events: AsyncIterable<LaunchResponse>,
  onPhase: (phase: number) => unknown = () => undefined,
): Promise<{ phases: number[]; result: LaunchResult }> {
  const phases: number[] = [];
  for await (const { event } of events) {
    if (event?.$case === 'result') return { phases, result: event.value };
    phases.push(event?.value.phase ?? 0);
    await onPhase(event?.value.phase ?? 0);
  }
  throw new Error('no result');
}

test('a launch goes from profile to evidence and user certificate, each phase as it is reached', async () => {
  const wish = launchWish();
  let enclave: FakeEnclave | undefined;
  const { phases, result } = await follow(fixture.client().launch(wish), async (phase) => {
    enclave ??= await fixture.enclave(wish.enclave);
    await [undefined, undefined, enclave.started, enclave.certified, enclave.attested, enclave.ready][
      phase
    ]?.call(enclave);
  });
  expect(phases).toEqual([2, 3, 4, 5, 6, 7]);
  expect(String(Buffer.from(result.bundle?.statement ?? []))).toBe(toBase64url(wish.nonce));
  expect(result).toMatchObject({ namespace: fixture.namespace, profile: { name: 'small' } });
  expect(JSON.parse(result.profile?.specJson ?? '')).toMatchObject({
    upstream: 'unix:/run/enclave/app.sock',
  });
  expect(parseCertificate(result.userCertificateChain[0] ?? new Uint8Array(0)).ok).toBe(true);
  expect((await fixture.client().list({})).pods).toMatchObject([{ enclave: wish.enclave, ready: true }]);
  const { bundle } = await fixture.client().evidence({ enclave: wish.enclave, nonce: Buffer.alloc(16, 1) });
  expect(String(Buffer.from(bundle?.statement ?? []))).toBe(toBase64url(Buffer.alloc(16, 1)));
  expect(bundle?.endpoint).toContain(enclave?.address);
  fixture.exposed.at = 'enclaves.example:443';
  const outside = await fixture.client().evidence({ enclave: wish.enclave, nonce: Buffer.alloc(16, 2) });
  fixture.exposed.at = undefined;
  expect(outside.bundle?.endpoint).toBe('enclaves.example:443');
  await expect(
    fixture
      .client()
      .issueUserCertificate({ ...wish, user: 'denied', grant: NOTHING, grantSignature: NOTHING }),
  ).rejects.toMatchObject({ status: 'PERMISSION_DENIED', message: expect.stringMatching(/owns nothing/) });
  await fixture.client().stop({ enclave: wish.enclave });
  await fixture.client().stop({ enclave: wish.enclave });
  const left = await fixture.left();
  expect([...left.pods, ...left.requests]).toEqual([]);
  await expect(
    fixture.client().evidence({ enclave: wish.enclave, nonce: Buffer.alloc(16) }),
  ).rejects.toMatchObject({
    status: 'NOT_FOUND',
    code: 'pod-gone',
  });
});

test('what an owner revokes goes on to the certificate service as it was signed; what that says comes back', async () => {
  const asked = { revocation: Buffer.from('{"v":1}'), signature: Buffer.from('signed') };
  expect(await fixture.client().revokeGrant(asked)).toEqual({ trustDocumentVersion: 9n });
  expect(fixture.revoked).toEqual([{ $case: 'grant', value: asked }]);
  await expect(fixture.client().revokeGrant(asked)).rejects.toMatchObject({
    status: 'PERMISSION_DENIED',
    code: 'revocation-refused',
    message: expect.stringContaining('revocation-foreign'),
  });
  await expect(fixture.client('webhook').revokeGrant(asked)).rejects.toMatchObject({
    code: 'caller-not-front',
  });
});

test('only front may call', async () => {
  for (const component of ['webhook', 'launcher', 'agent.node-1'])
    await expect(fixture.client(component).list({})).rejects.toMatchObject({
      status: 'PERMISSION_DENIED',
      code: 'caller-not-front',
    });
});

describe('a launch fails with a clear reason', () => {
  const failing = async (
    wish: object,
    act: (enclave: FakeEnclave) => Promise<unknown>,
  ): Promise<RpcRefusal> => {
    const request = launchWish(wish);
    const launching = follow(fixture.client().launch(request)).then(
      () => {
        throw new Error('it should have failed');
      },
      (error: RpcRefusal) => error,
    );
    await act(await fixture.enclave(request.enclave));
    const error = await launching;
    await fixture.client().stop({ enclave: request.enclave });
    return error;
  };

  test('the image, the app, the certificate, the pod', async () => {
    const pull = await failing({}, (enclave) =>
      enclave.sidecar({ waiting: { reason: 'ErrImagePull', message: 'not found in the catalogue' } }),
    );
    expect(pull).toMatchObject({ status: 'FAILED_PRECONDITION', code: 'image-unavailable' });
    expect(pull.message).toMatch(/container enclave-sidecar cannot be pulled: ErrImagePull: not found/);
    const crash = await failing({}, async (enclave) => {
      await enclave.started();
      await enclave.status({
        containerStatuses: [
          container('app', {
            restartCount: 3,
            state: { waiting: { reason: 'CrashLoopBackOff' } },
            lastState: { terminated: { exitCode: 7, reason: 'Error' } },
          }),
        ],
      });
    });
    expect(crash).toMatchObject({ code: 'crash-loop' });
    expect(crash.message).toMatch(/container app keeps ending \(exit code 7\), 3 restarts/);
    const denied = await failing({}, (enclave) => enclave.denied('PCR 4 is not as it should be'));
    expect(denied).toMatchObject({ code: 'certificate-denied' });
    expect(denied.message).toMatch(/PcrMismatch: PCR 4 is not as it should be/);
    const evicted = await failing({}, (enclave) =>
      enclave.status({ phase: 'Failed', reason: 'Evicted', message: 'low on memory' }),
    );
    expect(evicted).toMatchObject({
      code: 'pod-ended',
      message: expect.stringMatching(/Evicted: low on memory/),
    });
    const deleted = await failing({}, ({ pod }) =>
      fixture.admin.delete(PODS, { namespace: fixture.namespace, name: pod.metadata?.name ?? '' }),
    );
    expect(deleted).toMatchObject({ status: 'NOT_FOUND', code: 'pod-gone' });
  });

  test('the time, with the phase', async () => {
    let said = '';
    // Longer and longer, until it is enough for the pod to start.
    for (let timeoutMs = 700; timeoutMs < 15_000 && !said.includes('was started'); timeoutMs *= 2) {
      const late = await failing({ timeoutMs }, (enclave) => enclave.started());
      expect(late).toMatchObject({ status: 'DEADLINE_EXCEEDED', code: 'launch-timeout' });
      said = late.message;
    }
    expect(said).toMatch(/last phase reached was started: waiting for the enclave’s certificate/);
  });

  test('the user’s certificate', async () => {
    const denied = await failing({ user: 'denied' }, (enclave) => enclave.all());
    expect(denied).toMatchObject({ status: 'PERMISSION_DENIED', code: 'user-certificate-denied' });
  });

  test('an app that can be reached past the sidecar', async () => {
    const app = createServer((socket) => socket.destroy());
    const error = await failing({ profile: 'tcp' }, async (enclave) => {
      await new Promise<void>((resolve) => app.listen(8080, enclave.address, resolve));
      await enclave.all();
    });
    app.close();
    expect(error).toMatchObject({
      code: 'not-isolated',
      message: expect.stringMatching(/past the sidecar at 127/),
    });
    const closed = launchWish({ profile: 'tcp' });
    const launching = follow(fixture.client().launch(closed));
    await (await fixture.enclave(closed.enclave)).all();
    expect((await launching).phases).toEqual([2, 3, 4, 5, 6, 7]);
    await fixture.client().stop({ enclave: closed.enclave });
  });

  test('the profile', async () => {
    await expect(follow(fixture.client().launch(launchWish({ profile: 'none' })))).rejects.toMatchObject({
      status: 'NOT_FOUND',
      code: 'profile-unknown',
    });
    await fixture.profile('odd', { auth: 'jwt' });
    await expect(follow(fixture.client().launch(launchWish({ profile: 'odd' })))).rejects.toMatchObject({
      code: 'profile-invalid',
    });
  });
});

test('a pod that somebody else made is neither adopted nor removed, whatever front calls its enclave', async () => {
  const wish = launchWish();
  const ref = { namespace: fixture.namespace, name: wish.enclave };
  const containers = [{ name: 'app', image: 'other' }];
  await fixture.admin.create(PODS, { metadata: ref, spec: { containers } });
  await expect(follow(fixture.client().launch(wish))).rejects.toMatchObject({ code: 'pod-differs' });
  await fixture.client().stop({ enclave: wish.enclave });
  const pod = await fixture.admin.get(PODS, ref);
  expect(pod?.metadata).toMatchObject({ name: wish.enclave });
  expect(pod?.metadata?.deletionTimestamp).toBeUndefined();
  await fixture.admin.delete(PODS, ref, { gracePeriodSeconds: 0 });
});

test('a launch that was cut off at any phase is taken up with the same pod', async () => {
  const wish = launchWish();
  let enclave: FakeEnclave | undefined;
  const steps = ['started', 'certified', 'attested', 'ready'] as const;
  for (const [index, step] of steps.entries()) {
    const cut = new AbortController();
    await follow(fixture.client().launch(wish, { signal: cut.signal }), async (phase) => {
      enclave ??= await fixture.enclave(wish.enclave);
      if (phase === index + 2) cut.abort();
    }).catch(() => undefined);
    await enclave?.[step]();
  }
  const { phases, result } = await follow(fixture.client().launch(wish));
  expect(phases).toEqual([2, 3, 4, 5, 6, 7]);
  expect(result.bundle?.endpoint).toContain(enclave?.address);
  const pod = await fixture.admin.get(PODS, { namespace: fixture.namespace, name: wish.enclave });
  expect(pod?.metadata?.uid).toBe(enclave?.pod.metadata?.uid);
  // Another owner's launch never gets this pod.
  await expect(follow(fixture.client().launch(launchWish({ enclave: wish.enclave })))).rejects.toMatchObject({
    code: 'pod-differs',
  });
});

test('stop ends a launch under way, and leaves nothing', async () => {
  const wish = launchWish();
  const launching = follow(fixture.client().launch(wish));
  launching.catch(() => undefined);
  const enclave = await fixture.enclave(wish.enclave);
  await enclave.certified();
  await fixture.client().stop({ enclave: wish.enclave });
  await expect(launching).rejects.toMatchObject({ status: 'ABORTED' });
  const left = await fixture.left();
  expect(left.pods).not.toContain(wish.enclave);
  expect(left.requests.filter((name) => name.includes(enclave.pod.metadata?.uid ?? ''))).toEqual([]);
});

// A kube-apiserver that other suites share is not sent away.
if (process.env['ENCLAVE_TEST_KUBECONFIG'] === undefined)
  test('an API server that goes away and comes back costs time, not the launch', async () => {
    const wish = launchWish();
    const launching = follow(fixture.client().launch(wish), async (phase) => {
      if (phase !== 2) return;
      await fixture.api?.suspend();
      await fixture.api?.resume();
    });
    const enclave = await fixture.enclave(wish.enclave);
    const done = (): Promise<boolean> =>
      enclave.all().then(
        () => true,
        () => false,
      );
    await until('the node tells its status', done);
    expect((await launching).phases).toEqual([2, 3, 4, 5, 6, 7]);
    await fixture.api?.suspend();
    const next = launchWish();
    const later = follow(fixture.client().launch(next));
    await fixture.api?.resume();
    await (await fixture.enclave(next.enclave)).all();
    expect((await later).phases).toEqual([2, 3, 4, 5, 6, 7]);
  });

test('a webhook that is down fails the launch in the API server’s words; without one no pod is handed out', async () => {
  await fixture.stopWebhook();
  const refused = follow(fixture.client().launch(launchWish()));
  await expect(refused).rejects.toMatchObject({
    status: 'FAILED_PRECONDITION',
    code: 'pod-refused',
    message: expect.stringMatching(/failed calling webhook.*launched.enclave-licensing.dev/),
  });
  const { namespace, admin } = fixture;
  await admin.delete(MUTATING_WEBHOOK_CONFIGURATIONS, { name: `launcher-test-${namespace}` });
  const wish = launchWish();
  // A real API server notices the change of its configuration after a moment.
  const bare = await until('a pod without a sidecar', () =>
    follow(fixture.client().launch(wish)).catch((error: RpcRefusal) =>
      error.code === 'pod-refused' ? undefined : error,
    ),
  );
  expect(bare).toMatchObject({
    code: 'sidecar-missing',
    message: expect.stringContaining(SIDECAR_CONTAINER),
  });
  await until('the bare pod is gone', async () => !(await fixture.left()).pods.includes(wish.enclave));
});

const NOTHING = new Uint8Array(0);
