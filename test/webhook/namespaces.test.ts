import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodePem } from '../../formats/x509/pem.ts';
import { INJECT_LABEL, INJECTION_LABEL } from '../../names/labels.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import {
  NAMESPACES,
  PODS,
  type Pod,
  SERVICE_ACCOUNTS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
} from '../../platform/kube/resources.ts';
import { serverTlsOptions } from '../../platform/tls/server-options.ts';
import { EnclavePods } from '../../webhook/keeper/enclave-pods.ts';
import { readNamespaceReview } from '../../webhook/keeper/namespace-review.ts';
import { type Census, judgeNamespace } from '../../webhook/keeper/namespace-rule.ts';
import { createWebhook } from '../../webhook/server.ts';
import { RELEASE, startTestCluster, type TestCluster } from '../certs/cluster.ts';
import { CONFIG, enclavePod } from '../injection/support.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { until } from '../support/until.ts';
import { webhookConfigurations } from '../support/webhook-configuration.ts';

/** The rule for namespaces through an API server, with the release's own configuration and rights. */
const metrics = recordingMetrics();
const abort = new AbortController();
let cluster: TestCluster;
let pods: EnclavePods;
/** What the webhook is told of the watch, so that a test can take it away. */
let isAway = false;
let stopWebhook: () => Promise<unknown>;
const undo: (() => unknown)[] = [];

beforeAll(async () => {
  cluster = await startTestCluster();
  undo.push(() => cluster.close());
  const { admin } = cluster;
  const { sidecarImage, enclaveDomain } = CONFIG;
  const release = { sidecarImages: [sidecarImage], enclaveDomain };
  pods = new EnclavePods({ kube: await cluster.as('enclave-webhook'), release, signal: abort.signal });
  const census: Census = {
    current: () => !isAway && pods.current(),
    running: (namespace) => pods.running(namespace),
  };
  const authority = createTestAuthority();
  const { log } = recordingLogger();
  const https = serverTlsOptions({ credential: authority.issue({ dns: ['localhost'] }) });
  const server = createWebhook({
    config: () => CONFIG,
    releaseNamespace: RELEASE,
    census,
    log,
    metrics,
    https,
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  stopWebhook = () => server.close();
  undo.push(() => server.close());
  const { port } = server.server.address() as AddressInfo;
  const caBundle = Buffer.from(encodePem('CERTIFICATE', authority.root)).toString('base64');
  const [configuration] = webhookConfigurations(`https://localhost:${port}`, caBundle)
    .filter(({ kind }) => kind === 'ValidatingWebhookConfiguration')
    .map((each) => ({
      ...each,
      webhooks: each.webhooks.filter(({ name }) => name.startsWith('namespaces.')),
    }));
  await admin.create(VALIDATING_WEBHOOK_CONFIGURATIONS, configuration as object);
  await namespace('shop', { team: 'a' });
  await until('the copy is current', async () => pods.current());
  const before = reviews();
  await until('the webhook is asked', async () => {
    await label('shop', { [INJECTION_LABEL]: 'enabled' });
    await label('shop', { [INJECTION_LABEL]: null });
    return reviews() > before;
  });
  await label('shop', { [INJECTION_LABEL]: 'enabled' });
}, 90_000);
afterAll(async () => {
  abort.abort();
  for (const each of undo.reverse()) await each();
});

const reviews = (): number =>
  metrics.values.get('reviews_total{endpoint="validate-namespace",outcome="allowed"}') ?? 0;

async function namespace(name: string, labels: Record<string, string>): Promise<void> {
  await cluster.admin.create(NAMESPACES, { metadata: { name, labels } });
  await cluster.admin
    .create(SERVICE_ACCOUNTS, { metadata: { name: 'default', namespace: name } })
    .catch(() => undefined);
}

const label = (name: string, labels: Record<string, string | null>, subresource?: string) =>
  cluster.admin.patch(NAMESPACES, { name }, { metadata: { labels } }, 'merge', subresource);

/** What the API server says to an attempt; '' when it lets it pass. */
const said = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => '',
    (error: unknown) => {
      if (!isKubeError(error)) throw error;
      return error.message;
    },
  );

async function enclave(name: string, of: string): Promise<void> {
  const { spec } = enclavePod({}, { serviceAccountName: 'default' });
  await cluster.admin.create(PODS, {
    metadata: { name, namespace: of, labels: { [INJECT_LABEL]: 'enabled' } },
    spec,
  } as object as Pod);
  await until(`${name} is seen`, async () => pods.running(of).includes(name));
}

test('the label stays while enclaves run, by whatever request, and goes when they have ended', async () => {
  await enclave('web-1', 'shop');
  await enclave('web-2', 'shop');
  const { admin } = cluster;
  const refused =
    /2 enclave pods run in namespace shop \(web-1, web-2\).*Stop them first.*\(enclaves-running\)/;
  for (const value of [null, 'disabled', '', 'Enabled'])
    expect(await said(label('shop', { [INJECTION_LABEL]: value })), String(value)).toMatch(refused);
  expect(await said(label('shop', { [INJECTION_LABEL]: null }, 'status'))).toMatch(refused);
  const stored = await admin.get(NAMESPACES, { name: 'shop' });
  if (stored === undefined) throw new Error('no namespace');
  const { [INJECTION_LABEL]: _gone, ...labels } = stored.metadata?.labels ?? {};
  for (const subresource of [undefined, 'finalize'])
    expect(
      await said(
        admin.replace(NAMESPACES, { ...stored, metadata: { ...stored.metadata, labels } }, subresource),
      ),
      subresource,
    ).toMatch(refused);
  expect((await admin.get(NAMESPACES, { name: 'shop' }))?.metadata?.labels).toMatchObject({
    [INJECTION_LABEL]: 'enabled',
  });
  // An enclave elsewhere is none of this namespace, and one that has ended is none at all.
  await admin.patch(
    PODS,
    { name: 'web-1', namespace: 'shop' },
    { status: { phase: 'Succeeded' } },
    'merge',
    'status',
  );
  await admin.delete(PODS, { name: 'web-2', namespace: 'shop' }, { gracePeriodSeconds: 0 });
  await until('nothing runs', async () => pods.running('shop').length === 0);
  expect(await said(label('shop', { [INJECTION_LABEL]: null }))).toBe('');
  await label('shop', { [INJECTION_LABEL]: 'enabled' });
});

test('other updates do not depend on what the webhook knows, and an unknown number of enclaves keeps the label', async () => {
  await enclave('web-3', 'shop');
  isAway = true;
  expect(await said(label('shop', { [INJECTION_LABEL]: null }))).toMatch(/Try again.*\(enclaves-unknown\)/);
  expect(await said(label('shop', { team: 'b' }))).toBe('');
  await namespace('plain', {});
  expect(await said(label('plain', { [INJECTION_LABEL]: 'enabled' }))).toBe('');
  // The release's own namespace is not asked about: a cluster that starts cold comes up.
  expect(await said(label(RELEASE, { [INJECTION_LABEL]: 'enabled' }))).toBe('');
  expect(await said(label(RELEASE, { [INJECTION_LABEL]: null }))).toBe('');
  isAway = false;
});

test('the decision alone: which change is asked about, and that an excluded namespace is free', () => {
  const census: Census = { current: () => true, running: () => ['a', 'b', 'c', 'd', 'e', 'f', 'g'] };
  const on = { [INJECTION_LABEL]: 'enabled' };
  const judge = (before: object, after: object, name = 'shop') =>
    judgeNamespace({ name, before: { ...before }, after: { ...after } }, census, ['kube-system']);
  expect(judge(on, {})).toMatchObject({
    code: 'enclaves-running',
    message: expect.stringContaining('7 enclave pods run in namespace shop (a, b, c, d, e and 2 more)'),
  });
  for (const [before, after, name] of [
    [{}, {}, 'shop'],
    [{}, on, 'shop'],
    [on, { ...on, x: 'y' }, 'shop'],
    [{ [INJECTION_LABEL]: 'disabled' }, {}, 'shop'],
    [on, {}, 'kube-system'],
  ] as const)
    expect(judge(before, after, name).ok).toBe(true);
});

test('what is no review of a namespace is none; nothing but an update is judged', () => {
  const request = {
    uid: 'u',
    operation: 'UPDATE',
    name: 'shop',
    resource: { group: '', version: 'v1', resource: 'namespaces' },
    object: { metadata: { name: 'shop' } },
    oldObject: { metadata: { name: 'shop', labels: { [INJECTION_LABEL]: 'enabled' } } },
  };
  const read = (change: object) =>
    readNamespaceReview({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: { ...request, ...change },
    });
  expect(read({})?.change).toEqual({ name: 'shop', before: { [INJECTION_LABEL]: 'enabled' }, after: {} });
  for (const operation of ['CREATE', 'DELETE', 'CONNECT'])
    expect(read({ operation, object: null })).toEqual({ uid: 'u', change: undefined });
  for (const change of [
    { object: null },
    { oldObject: null },
    { oldObject: 'x' },
    { name: 5 },
    { uid: undefined },
    { operation: 5 },
    { resource: { group: '', resource: 'pods' } },
    { resource: { group: 'x', resource: 'namespaces' } },
  ])
    expect(read(change), JSON.stringify(change)).toBeUndefined();
  for (const body of [undefined, null, 5, '', [], {}, { kind: 'AdmissionReview' }])
    expect(readNamespaceReview(body)).toBeUndefined();
  // Labels that are none are no labels: the label is gone.
  for (const labels of [null, 5, [], {}])
    expect(read({ object: { metadata: { labels } } })?.change?.after[INJECTION_LABEL]).toBeUndefined();
});

test('a webhook that is down keeps the label; other updates it is not asked about', async () => {
  await namespace('quiet', { [INJECTION_LABEL]: 'enabled' });
  await stopWebhook();
  expect(await said(label('quiet', { [INJECTION_LABEL]: null }))).toContain('failed calling webhook');
  await namespace('other', {});
  expect(await said(label('other', { team: 'c' }))).toBe('');
  // The development cluster evaluates no match conditions: it asks about every update of a labelled namespace.
  if (process.env['ENCLAVE_TEST_KUBERNETES_BIN'] === undefined) return;
  expect(await said(label('quiet', { team: 'c' }))).toBe('');
  expect(await said(label('quiet', { team: 'd' }, 'status'))).toBe('');
});
