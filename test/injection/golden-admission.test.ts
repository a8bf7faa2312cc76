import { readFileSync } from 'node:fs';
import jsonPatch from 'fast-json-patch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decide } from '../../injection/decide.ts';
import type { Pod } from '../../injection/pod.ts';
import {
  type ApiAnswer,
  type ApiClient,
  type ApiServerUnderTest,
  apiClient,
} from '../contract/api-client.ts';
import { apiServerUnderTest, isRealApiServer } from '../support/api-server-under-test.ts';
import { POD_SCHEMA_FILE, type PodSchema, podSchemaOf } from '../support/pod-schema.ts';
import { breachesOfRestricted } from '../support/restricted-standard.ts';
import { until } from '../support/until.ts';
import { goldenPods, type InjectedPod, injectedGoldenPods } from './golden-pods.ts';
import { CONFIG } from './support.ts';

/**
 * Golden pods after injection, created (dry run) on an API server: on the real one with all of its validation, and in a namespace that
 * enforces the restricted standard.
 */
let server: ApiServerUnderTest;
let admin: ApiClient;
const RESTRICTED = 'shop-restricted';

const pods = injectedGoldenPods().filter(({ name }) => name !== 'no-containers');

async function must(answer: Promise<ApiAnswer>): Promise<ApiAnswer> {
  const got = await answer;
  expect(got.status, JSON.stringify(got.body)).toBeLessThan(300);
  return got;
}

beforeAll(async () => {
  server = await apiServerUnderTest();
  admin = apiClient(server, await server.issueClient('admin', ['system:masters']));
  const accounts = new Set(goldenPods().map(({ pod }) => pod.spec?.serviceAccountName || 'default'));
  for (const [name, labels] of [
    ['shop', {}],
    [RESTRICTED, { 'pod-security.kubernetes.io/enforce': 'restricted' }],
  ] as const) {
    await must(admin.post('/api/v1/namespaces', { metadata: { name, labels } }));
    for (const account of accounts)
      await until(`service account ${account}`, async () => {
        const path = `/api/v1/namespaces/${name}/serviceaccounts`;
        const { status } = await admin.post(path, { metadata: { name: account } });
        return status === 201 || status === 409;
      });
  }
  if (!isRealApiServer) return;
  await must(
    admin.post('/apis/scheduling.k8s.io/v1/priorityclasses', {
      metadata: { name: 'shop-urgent' },
      value: 7,
      preemptionPolicy: 'Never',
    }),
  );
  await must(
    admin.post('/apis/node.k8s.io/v1/runtimeclasses', { metadata: { name: 'sandboxed' }, handler: 'x' }),
  );
});
afterAll(() => server?.stop());

function create({ name, pod, patch }: InjectedPod, namespace: string): Promise<ApiAnswer> {
  const document = structuredClone({ ...pod, metadata: { ...pod.metadata, namespace } });
  const body = jsonPatch.applyPatch(document, structuredClone([...patch])).newDocument;
  const strictness = name === 'unknown-fields' ? 'Ignore' : 'Strict';
  return admin.post(`/api/v1/namespaces/${namespace}/pods?dryRun=All&fieldValidation=${strictness}`, body);
}

const named = pods.map((golden) => [golden.name, golden] as const);

test.each(named)('%s is taken, and needs nothing after what admission writes into it', async (_, golden) => {
  const { body } = await must(create(golden, 'shop'));
  const stored = body as unknown as Pod;
  expect(stored.spec?.initContainers?.[0]?.name).toBe('enclave-sidecar');
  expect(decide(stored, 'shop', CONFIG)).toMatchObject({ ok: true, patch: [] });
});

function onTheRealOne(): void {
  test.each(named)('%s: restricted as our reading of the standard says', async (_, golden) => {
    const { status, body } = await create(golden, RESTRICTED);
    if (breachesOfRestricted(golden.pod).length === 0) expect(status, JSON.stringify(body)).toBe(201);
    else expect(JSON.stringify(body)).toContain('violates PodSecurity \\"restricted:latest\\"');
  });

  test('a LimitRange completes the sidecar, so a quota on processor limits is no hindrance', async () => {
    const name = 'shop-limited';
    await must(admin.post('/api/v1/namespaces', { metadata: { name } }));
    const path = `/api/v1/namespaces/${name}`;
    const [golden] = pods.filter((each) => each.name === 'bare-pod');
    if (golden === undefined) throw new Error('no golden pod');
    await must(admin.post(`${path}/serviceaccounts`, { metadata: { name: 'default' } }));
    const hard = { 'limits.cpu': '4' };
    await must(admin.post(`${path}/resourcequotas`, { metadata: { name: 'quota' }, spec: { hard } }));
    const status = { hard, used: { 'limits.cpu': '0' } };
    await must(admin.patch(`${path}/resourcequotas/quota/status`, 'merge', { status }));
    await until('the quota holds', async () =>
      JSON.stringify((await create(golden, name)).body).includes('must specify limits.cpu'),
    );
    const limits = [
      { type: 'Container', default: { cpu: '1' }, defaultRequest: { 'ephemeral-storage': '1Mi' } },
    ];
    await must(admin.post(`${path}/limitranges`, { metadata: { name: 'limits' }, spec: { limits } }));
    await until('the limits hold', async () => {
      const { status: code, body } = await create(golden, name);
      if (code !== 201) return false;
      const stored = body as unknown as Pod;
      const [sidecar] = stored.spec?.initContainers ?? [];
      if (sidecar?.resources?.limits?.['cpu'] !== '1') return false;
      expect(decide({ ...stored }, 'shop', CONFIG)).toMatchObject({ ok: true, patch: [] });
      return true;
    });
  });

  test('our copy of the schema is what it serves', async () => {
    const { body } = await must(admin.get('/openapi/v2'));
    const served = podSchemaOf(body as unknown as PodSchema);
    // Write `JSON.stringify(served, null, 1)` there when kube-apiserver has become another.
    expect(served).toEqual(JSON.parse(readFileSync(POD_SCHEMA_FILE, 'utf8')));
  });
}

if (isRealApiServer) describe('on kube-apiserver', onTheRealOne);
