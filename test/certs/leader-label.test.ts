import { afterAll, beforeAll, expect, test } from 'vitest';
import { labelLeader } from '../../certs/start/leader-label.ts';
import { LEADER_LABEL } from '../../names/certs-state.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { PODS, type Pod } from '../../platform/kube/resources.ts';
import { until } from '../support/until.ts';
import { RELEASE, startTestCluster, type TestCluster } from './cluster.ts';

let cluster: TestCluster;
/** With the certificate service's own rights, and none more. */
let kube: Kube;

const [FIRST, SECOND, OTHER] = ['certs-1', 'certs-2', 'front-1'];
const REF = (name: string) => ({ name, namespace: RELEASE });

async function pod(name: string, component: string, podIP: string): Promise<void> {
  const containers = [{ name: component, image: component }];
  await cluster.admin.create(PODS, {
    metadata: { ...REF(name), labels: { 'app.kubernetes.io/name': component } },
    spec: { serviceAccountName: component, containers },
  } as Pod);
  const status = { podIP, podIPs: [{ ip: podIP }] };
  await cluster.admin.patch(PODS, REF(name), { status }, 'merge', 'status');
}

beforeAll(async () => {
  cluster = await startTestCluster();
  kube = await cluster.as('enclave-certs');
  await pod(FIRST, 'enclave-certs', '192.0.2.1');
  await pod(SECOND, 'enclave-certs', '192.0.2.2');
  await pod(OTHER, 'enclave-front', '192.0.2.3');
});
afterAll(() => cluster?.close());

const labels = () =>
  Promise.all(
    [FIRST, SECOND, OTHER].map(async (name) => {
      const found = await cluster.admin.get(PODS, REF(name));
      return found?.metadata?.labels?.[LEADER_LABEL];
    }),
  );

test('the label goes where the leader is, from whoever had it', async () => {
  expect(await labelLeader(kube, RELEASE, '192.0.2.1')).toEqual([FIRST]);
  expect(await labels()).toEqual(['true', undefined, undefined]);
  expect(await labelLeader(kube, RELEASE, '192.0.2.1')).toEqual([]);
  expect((await labelLeader(kube, RELEASE, '192.0.2.2')).sort()).toEqual([FIRST, SECOND]);
  expect(await labels()).toEqual([undefined, 'true', undefined]);
  // Somebody's hand.
  await cluster.admin.patch(PODS, REF(FIRST), { metadata: { labels: { [LEADER_LABEL]: 'yes' } } });
  expect(await labelLeader(kube, RELEASE, '192.0.2.2')).toEqual([FIRST]);
  expect(await labels()).toEqual([undefined, 'true', undefined]);
  // A process that is in no pod, or whose pod has no address yet, takes the label from the others all the same.
  expect(await labelLeader(kube, RELEASE, '192.0.2.9')).toEqual([SECOND]);
});

// The devcluster stores policies and runs none.
if (process.env['ENCLAVE_TEST_KUBERNETES_BIN'] !== undefined)
  test('the certificate service can change nothing else of a pod, and nothing of others', async () => {
    const label = { [LEADER_LABEL]: 'true' };
    const refused = (name: string, patch: object) =>
      kube.patch(PODS, REF(name), patch, 'strategic').then(
        () => 'taken',
        (error: Error) => error.message,
      );
    const says = /says which of its pods leads, and changes nothing else/;
    await until('the policy is in force', async () =>
      says.test(await refused(OTHER, { metadata: { labels: label } })),
    );
    for (const patch of [
      { metadata: { labels: { app: 'x' } } },
      { metadata: { labels: { 'app.kubernetes.io/name': 'enclave-front' } } },
      { metadata: { labels: { 'app.kubernetes.io/name': null } } },
      { metadata: { annotations: { a: 'b' } } },
      { metadata: { finalizers: ['example.org/keep'] } },
      { spec: { containers: [{ name: 'enclave-certs', image: 'evil' }] } },
      { spec: { activeDeadlineSeconds: 1 } },
    ])
      expect(await refused(FIRST, patch), JSON.stringify(patch)).toMatch(says);
    expect(await refused(FIRST, { metadata: { labels: label } })).toBe('taken');
  });
