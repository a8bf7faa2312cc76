/**
 * Who may call the agent: every case over TLS, to the real agent, against the devcluster's API server or, with `make test-kube`, a
 * kube-apiserver. Each refusal names its reason and says what to do, and its counter goes up by one.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentCode } from '../../agent/code.ts';
import { ANNOTATIONS, ENABLED, INJECTION_LABEL } from '../../names/labels.ts';
import { AGENT_PATHS } from '../../names/wire.ts';
import { NAMESPACES, PODS, type Pod } from '../../platform/kube/resources.ts';
import { ENCLAVES } from '../support/agent-world.ts';
import { until } from '../support/until.ts';
import { CALLER_CASES } from './caller-cases.ts';
import { type Callers, ELSEWHERE, startCallers } from './callers.ts';
import { CERTIFICATE_CASES, type Certificates, obtainCertificates } from './certificate-cases.ts';

let callers: Callers;
beforeAll(async () => {
  callers = await startCallers();
}, 60_000);
afterAll(async () => callers?.stop());

/** Less than a poll is held (30 s) and than unbounded pauses would be by then; idle it is some milliseconds, or a pause of one second. */
const AT_ONCE_MS = 5000;
const nonce = (): Uint8Array => new Uint8Array(randomBytes(32));

describe('who calls', () => {
  test('an ordinary pod is let in', async () => {
    const { call, counted, victim } = callers;
    const before = await counted('callers_total', 'code="ok"');
    expect((await call(victim.address, victim.token)).status).toBe(200);
    expect(await counted('callers_total', 'code="ok"')).toBe(before + 1);
  });

  test.each(CALLER_CASES)('$name: $code', async ({ code, says, call }) => {
    const before = await callers.counted('callers_total', `code="${code}"`);
    const answer = await call(callers);
    expect(answer).toMatchObject({
      code,
      detail: expect.stringMatching(says),
      remedy: expect.stringMatching(/./),
    });
    expect([401, 403]).toContain(answer.status);
    expect(await callers.counted('callers_total', `code="${code}"`)).toBe(before + 1);
  });

  test('a refusal ends the connection', async () => {
    const connection = callers.from(ELSEWHERE, callers.victim.token);
    for (const path of [AGENT_PATHS.trust, AGENT_PATHS.prove])
      expect(await connection.call('GET', path)).toMatchObject({
        code: 'caller-address',
        reusedSocket: false,
      });
  });
});

describe('whose certificate', () => {
  let certificates: Certificates;
  beforeAll(async () => {
    certificates = await obtainCertificates(callers);
  });

  test.each(CERTIFICATE_CASES)('$name: $code', async ({ code, says, show }) => {
    const { victim, from, counted } = callers;
    const labels = [`path="${AGENT_PATHS.quote}"`, `code="${code}"`];
    const before = await counted('requests_total', ...labels);
    const connection = from(victim.address, victim.token);
    const answer = await connection.quoteAnswer(nonce(), show(certificates));
    const detail = expect.stringMatching(says);
    expect(answer).toMatchObject({ status: 400, code, detail, remedy: expect.stringMatching(/./) });
    expect(await counted('requests_total', ...labels)).toBe(before + 1);
    // What was refused leaves nothing behind that a later quote could use.
    expect(await connection.quoteAnswer(nonce())).toMatchObject({ code: 'certificate-needed' });
    connection.close();
  });

  test('its own is quoted, and so is another over the same key', async () => {
    const { victim, from } = callers;
    const { own, like } = certificates;
    for (const chain of [own.chain, like({})]) {
      const connection = from(victim.address, victim.token);
      expect((await connection.quote(nonce(), { ...own, chain })).certificateChain).toEqual(chain);
    }
  });
});

describe('a pod loses its connections within a second of the API server’s event', () => {
  const patch = ({ metadata }: Pod, change: object): Promise<Pod> =>
    callers.world.kube.patch(PODS, { name: metadata?.name ?? '', namespace: ENCLAVES }, change, 'strategic');
  const image = `registry.internal/app@sha256:${'3'.repeat(64)}`;

  test.each<[string, AgentCode, (pod: Pod) => Promise<unknown>]>([
    ['deleted-at-once', 'caller-pod-missing', (pod) => callers.remove(pod, 0)],
    ['image', 'caller-pod-changed', (pod) => patch(pod, { spec: { containers: [{ name: 'app', image }] } })],
    [
      'annotation',
      'caller-pod-changed',
      (pod) => patch(pod, { metadata: { annotations: { [ANNOTATIONS.ownerKey]: 'cd'.repeat(32) } } }),
    ],
  ])('%s, then %s', async (name, code, change) => {
    const { world, enclave, from, call, other } = callers;
    const { pod, uid, address, token } = await enclave(name);
    const connections = [from(address, token), from(address, token)] as const;
    await connections[0].credential();
    const version = (await connections[1].trust(0))?.version ?? 0;
    const closed = connections.map((connection) =>
      connection.trust(version + 1000).then(
        () => Number.NaN,
        () => performance.now(),
      ),
    );
    // A token that the API server knew a moment ago, and so still does.
    const late = await world.token(pod);
    expect((await call(address, late)).status).toBe(200);
    const watching = new AbortController();
    const event = new Promise<number>((resolve) => {
      const seen = (): void => resolve(performance.now());
      const watch = world.kube.watch(PODS, {
        namespace: ENCLAVES,
        fieldSelector: `metadata.name=${name}`,
        signal: watching.signal,
        onUpdate: (now, old) => {
          const said = ({ metadata, spec }: Pod): string =>
            JSON.stringify([metadata?.deletionTimestamp, metadata?.annotations, spec]);
          if (said(now) !== said(old)) seen();
        },
        onDelete: seen,
      });
      void watch.synced.then(() => change(pod));
    });
    const delays = (await Promise.all(closed)).map(async (time) => time - (await event));
    for (const delay of await Promise.all(delays)) expect(delay).toBeLessThan(AT_ONCE_MS);
    watching.abort();
    expect((await call(address, late)).code).toBe(code);
    const witness = from(other.address, other.token);
    await until('its certificates are revoked', async () =>
      (await witness.trust(0))?.revoked.certificates.some(({ podUid }) => podUid === uid),
    );
  });
});

test('a pod that is being deleted gets trust documents, and nothing else; its certificates are revoked when it has ended', async () => {
  const { world, enclave, from, remove, other } = callers;
  const hold = ({ metadata }: Pod): void => {
    Object.assign(metadata ?? {}, { finalizers: ['example.org/held'] });
  };
  const { pod, uid, address, token } = await enclave('terminating', hold);
  const bare = await enclave('bare', hold);
  const old = from(address, token);
  const credential = await old.credential();
  const held = (await old.trust(0))?.version ?? 0;
  const poll = from(address, token);
  await poll.trust(0);
  const next = poll.trust(held);
  for (const each of [pod, bare.pod]) await remove(each, 600);
  const refused = { status: 409, code: 'caller-pod-terminating' };
  const asksFor = (path: string) => old.call('POST', path);
  await until('the agent has seen it', async () => (await asksFor(AGENT_PATHS.prove)).status === 409);
  // No other token comes: a refusal must not end the connection that the next trust document comes by.
  for (const path of [AGENT_PATHS.prove, AGENT_PATHS.certify, AGENT_PATHS.quote])
    expect(await asksFor(path)).toMatchObject({ ...refused, reusedSocket: true });
  expect(await old.quoteAnswer(nonce(), credential)).toMatchObject(refused);
  expect(await from(address, token).quoteAnswer(nonce(), credential)).toMatchObject(refused);
  expect((await old.trust(0))?.version).toBeGreaterThanOrEqual(held);

  // What another pod's revocation changes reaches it, and it is not among those revoked.
  const third = await enclave('third');
  await from(third.address, third.token).credential();
  await remove(third.pod, 0);
  expect((await next)?.version).toBeGreaterThan(held);
  const revoked = await until('it hears of the other pod', async () => {
    const uids = (await poll.trust(0))?.revoked.certificates.map(({ podUid }) => podUid);
    return uids?.includes(third.uid) && uids;
  });
  expect(revoked).not.toContain(uid);

  // Of the other one the agent knows no certificate: the certificate service looks at what is there.
  const witness = from(other.address, other.token);
  for (const [name, ended] of [['terminating', uid] as const, ['bare', bare.uid] as const]) {
    const ref = { name, namespace: ENCLAVES };
    await world.kube.patch(PODS, ref, { status: { phase: 'Failed' } }, 'merge', 'status');
    await until(`the certificates of ${name} are revoked`, async () =>
      (await witness.trust(0))?.revoked.certificates.some(({ podUid }) => podUid === ended),
    );
    await world.kube.patch(PODS, ref, { metadata: { finalizers: null } }, 'merge');
  }
  expect(await callers.call(address, token)).toMatchObject({ status: 403 });
});

test('a pod that is deleted as soon as the API server is back loses its connection soon after', async () => {
  const { world, enclave, from, remove, counted } = callers;
  const { pod, address, token } = await enclave('away');
  const connection = from(address, token);
  const version = (await connection.trust(0))?.version ?? 0;
  const closed = connection.trust(version + 1000).then(
    () => Number.NaN,
    () => performance.now(),
  );
  const before = await counted('pod_watch_failures_total');
  await world.cluster.suspendApi();
  // So many that pauses without a bound would be long by now.
  await until(
    'the watch has failed again and again',
    async () => (await counted('pod_watch_failures_total')) >= before + 6,
  );
  await world.cluster.resumeApi();
  await remove(pod, 0);
  const removed = performance.now();
  expect((await closed) - removed).toBeLessThan(AT_ONCE_MS);
});

test('a namespace that loses its label holds no enclaves', async () => {
  const { world, call, victim } = callers;
  const label = (value: string | null) =>
    world.kube.patch(NAMESPACES, { name: ENCLAVES }, { metadata: { labels: { [INJECTION_LABEL]: value } } });
  await label(null);
  expect((await call(victim.address, victim.token)).code).toBe('caller-namespace');
  await label(ENABLED);
  expect((await call(victim.address, victim.token)).status).toBe(200);
});

test('pods that never had a certificate are gone, and nobody was asked to revoke any', async () => {
  const { enclave, former, other, counted, from } = callers;
  const known = await enclave('known');
  await from(known.address, known.token).credential();
  await former('unknown');
  const before = await counted('revocations_total', 'result="ok"');
  await callers.remove(known.pod, 0);
  await until(
    'what was asked before is answered',
    async () => (await counted('revocations_total', 'result="ok"')) > before,
  );
  expect(await counted('revocations_total', 'result="refused"')).toBe(0);
  expect((await callers.call(other.address, other.token)).status).toBe(200);
});
