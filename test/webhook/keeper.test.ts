import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod as InjectionPod } from '../../injection/pod.ts';
import { injectedPod } from '../../injection/spec-sha256.ts';
import { INJECT_LABEL, INJECTION_LABEL } from '../../names/labels.ts';
import {
  CONFIG_MAPS,
  EVENTS,
  LEASES,
  NAMESPACES,
  NETWORK_POLICIES,
  PODS,
  type Pod,
  SERVICE_ACCOUNTS,
} from '../../platform/kube/resources.ts';
import { FINDINGS_CONFIG_MAP } from '../../webhook/keeper/status-reporter.ts';
import { POLICY_NAMES, wantedPolicy } from '../../webhook/keeper/wanted-policies.ts';
import { RELEASE, startTestCluster, type TestCluster } from '../certs/cluster.ts';
import { CONFIG, enclavePod } from '../injection/support.ts';
import { type Replica, startReplica } from '../support/keeper-replica.ts';
import { until } from '../support/until.ts';

/** Two replicas' keepers on an API server, with the rights of the chart and no more. Nothing injects here: what admission would refuse is simply there. */
const APP = '127.77.31.1';
const KEEPER = '127.77.31.2';
const [FIRST = '', SECOND = ''] = POLICY_NAMES;
let cluster: TestCluster;

const replicas: Replica[] = [];

beforeAll(async () => {
  cluster = await startTestCluster();
  for (const name of ['a', 'b']) replicas.push(await startReplica(cluster, name, KEEPER));
}, 90_000);
afterAll(async () => {
  for (const each of replicas) await each.stop();
  await cluster.close();
});

const leaders = (): string[] =>
  replicas.filter(({ metrics }) => metrics.get('keeper_leads{}') === 1).map(({ name }) => name);
const found = (reason: string): number =>
  replicas.reduce((sum, { metrics }) => sum + (metrics.get(`findings{reason="${reason}"}`) ?? 0), 0);
const policy = (namespace: string, name: string) => cluster.admin.get(NETWORK_POLICIES, { namespace, name });

async function namespace(name: string, labels: Record<string, string> = { [INJECTION_LABEL]: 'enabled' }) {
  await cluster.admin.create(NAMESPACES, { metadata: { name, labels } });
  await cluster.admin
    .create(SERVICE_ACCOUNTS, { metadata: { name: 'default', namespace: name } })
    .catch(() => undefined);
}

async function create(pod: InjectionPod, name: string, of: string, ip?: string): Promise<void> {
  const { metadata, spec } = pod;
  const object = { metadata: { ...metadata, name, namespace: of }, spec } as object as Pod;
  await cluster.admin.create(PODS, object);
  if (ip !== undefined)
    await cluster.admin.patch(
      PODS,
      { name, namespace: of },
      { status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] } },
      'merge',
      'status',
    );
}

const bare = (): InjectionPod => enclavePod({}, { serviceAccountName: 'default' });
function injected(of: string, port = 8080): InjectionPod {
  const plain = enclavePod(
    { 'enclave-licensing.dev/upstream': `pod:${port}` },
    { serviceAccountName: 'default' },
  );
  const result = injectedPod({ ...plain, metadata: { ...plain.metadata, namespace: of } }, CONFIG);
  if (!result.ok) throw new Error(result.message);
  return result.value;
}

const findings = async (): Promise<Record<string, string>> =>
  (await cluster.admin.get(CONFIG_MAPS, { namespace: RELEASE, name: FINDINGS_CONFIG_MAP }))?.data ?? {};
const eventsOf = async (of: string, name: string) =>
  (await cluster.admin.list(EVENTS, { namespace: of })).items.filter(
    ({ involvedObject }) => involvedObject.name === name,
  );

async function intact(of: string, name: string): Promise<boolean> {
  const stored = await policy(of, name);
  const wanted = wantedPolicy(of, name);
  return (
    JSON.stringify(stored?.spec?.ingress) === JSON.stringify(wanted?.spec?.ingress) &&
    stored?.metadata?.labels?.['enclave-licensing.dev/managed-by'] === 'enclave-webhook'
  );
}

describe('network policies', () => {
  test('a labelled namespace gets them; edited, stripped of their label or deleted they come back', async () => {
    const { admin } = cluster;
    await namespace('shop');
    for (const name of POLICY_NAMES) await until(`${name} is made`, () => intact('shop', name));
    const ref = { namespace: 'shop', name: FIRST };
    const before = await policy('shop', FIRST);
    await admin.patch(NETWORK_POLICIES, ref, { spec: { ingress: [{}] } });
    await until('an edit is undone', () => intact('shop', FIRST));
    const labels = { 'enclave-licensing.dev/managed-by': null };
    await admin.patch(NETWORK_POLICIES, ref, { metadata: { labels }, spec: { ingress: [{}] } });
    await until('an edit that takes the label off is undone', () => intact('shop', FIRST));
    expect((await policy('shop', FIRST))?.metadata?.uid).toBe(before?.metadata?.uid);
    await admin.delete(NETWORK_POLICIES, ref);
    await until('what was deleted is made again', () => intact('shop', FIRST));
  });

  test('somebody else’s object under our name is left as it is, and reported', async () => {
    const theirs = {
      metadata: { namespace: 'late', name: SECOND, labels: { app: 'x' } },
      spec: { podSelector: {}, policyTypes: ['Ingress'], ingress: [{}] },
    };
    await namespace('late', {});
    const { metadata } = await cluster.admin.create(NETWORK_POLICIES, theirs);
    await cluster.admin.patch(
      NAMESPACES,
      { name: 'late' },
      { metadata: { labels: { [INJECTION_LABEL]: 'enabled' } } },
    );
    await until('the other one is made', () => intact('late', FIRST));
    await until('it is counted', async () => found('policy-name-taken') === 1);
    const [event] = await until('it is told', async () => {
      const events = await eventsOf('late', SECOND);
      return events.length > 0 && events;
    });
    expect(event).toMatchObject({
      type: 'Warning',
      reason: 'PolicyNameTaken',
      involvedObject: { kind: 'NetworkPolicy' },
    });
    expect((await policy('late', SECOND))?.metadata?.resourceVersion).toBe(metadata?.resourceVersion);
    await cluster.admin.delete(NETWORK_POLICIES, { namespace: 'late', name: SECOND });
    await until('ours takes its place', () => intact('late', SECOND));
    await until('it is over', async () => found('policy-name-taken') === 0);
  });

  test('they go with the label, once no enclave runs there; other policies stay', async () => {
    const { admin } = cluster;
    await namespace('brief');
    for (const name of POLICY_NAMES) await until(`${name} is made`, () => intact('brief', name));
    await admin.create(NETWORK_POLICIES, {
      metadata: { namespace: 'brief', name: 'theirs' },
      spec: { podSelector: { matchLabels: { app: 'x' } }, policyTypes: ['Ingress'] },
    });
    await create(injected('brief'), 'web-1', 'brief');
    await admin.patch(NAMESPACES, { name: 'brief' }, { metadata: { labels: { [INJECTION_LABEL]: null } } });
    await until(
      'an enclave without a labelled namespace is found',
      async () => found('namespace-unlabelled') === 1,
    );
    expect(await intact('brief', FIRST)).toBe(true);
    await admin.delete(PODS, { namespace: 'brief', name: 'web-1' }, { gracePeriodSeconds: 0 });
    for (const name of POLICY_NAMES)
      await until(`${name} is gone`, async () => (await policy('brief', name)) === undefined);
    expect(await policy('brief', 'theirs')).toBeDefined();
    for (const of of [RELEASE, 'kube-system', 'team']) expect(await policy(of, FIRST)).toBeUndefined();
  });
});

describe('findings', () => {
  test('a bare pod: one Event, a gauge, a line in the ConfigMap; all over when it is gone', async () => {
    await namespace('plain', {});
    await create(bare(), 'bare-1', 'shop');
    await create(bare(), 'bare-2', 'plain');
    await create(injected('shop'), 'good-1', 'shop');
    await until('both are counted', async () => found('sidecar-missing') === 2);
    const { summary, findings: lines } = await until('they are written down', async () => {
      const written = await findings();
      return (written['summary'] ?? '').startsWith('findings: 2;') && written;
    });
    expect(summary).toMatch(/^findings: 2; labelled namespaces: \d; enclave pods: 3; looked at .* by [ab]$/);
    expect(lines).toMatch(
      /^plain\/bare-2 Pod sidecar-missing: .*no label[\s\S]*^shop\/bare-1 Pod sidecar-missing: /m,
    );
    const events = await eventsOf('shop', 'bare-1');
    const pod = await cluster.admin.get(PODS, { namespace: 'shop', name: 'bare-1' });
    expect(events).toMatchObject([
      {
        type: 'Warning',
        reason: 'SidecarMissing',
        message: expect.stringContaining('Delete it'),
        involvedObject: { kind: 'Pod', uid: pod?.metadata?.uid },
        source: { component: 'enclave-webhook' },
        count: 1,
      },
    ]);
    expect(await eventsOf('shop', 'good-1')).toEqual([]);
    // Something else changes, everything is looked at again, nothing is told again.
    await create(injected('shop'), 'good-2', 'shop');
    await until('the new one is counted', async () =>
      (await findings())['summary']?.includes('enclave pods: 4;'),
    );
    expect(await eventsOf('shop', 'bare-1')).toMatchObject([{ count: 1 }]);
    await cluster.admin.delete(PODS, { namespace: 'shop', name: 'bare-1' }, { gracePeriodSeconds: 0 });
    await cluster.admin.delete(PODS, { namespace: 'plain', name: 'bare-2' }, { gracePeriodSeconds: 0 });
    await until('it is over', async () => found('sidecar-missing') === 0);
    await until('and written down', async () => (await findings())['findings'] === '');
  });

  test('a policy that opens enclaves, and an app that answers past its sidecar', async () => {
    const app = createServer((socket) => socket.destroy());
    app.listen(0, APP);
    await once(app, 'listening');
    const { port } = app.address() as { port: number };
    await create(injected('shop', port), 'open-1', 'shop', APP);
    await until('the answer is counted', async () => found('upstream-reachable') === 1);
    expect(
      await until('it is told', async () => {
        const events = await eventsOf('shop', 'open-1');
        return events.length > 0 && events;
      }),
    ).toMatchObject([{ reason: 'UpstreamReachable', message: expect.stringContaining(`${APP}:${port}`) }]);
    app.close();
    await cluster.admin.create(NETWORK_POLICIES, {
      metadata: { namespace: 'shop', name: 'allow-web' },
      spec: {
        podSelector: { matchLabels: { [INJECT_LABEL]: 'enabled' } },
        policyTypes: ['Ingress'],
        ingress: [{ ports: [{ protocol: 'TCP', port: 8080 }] }],
      },
    });
    await until('it no longer answers', async () => found('upstream-reachable') === 0);
    await until('the policy is counted', async () => found('policy-opens-port') === 1);
    expect((await findings())['findings']).toContain(
      'shop/allow-web NetworkPolicy policy-opens-port: Opens TCP 8080 of',
    );
    await cluster.admin.delete(NETWORK_POLICIES, { namespace: 'shop', name: 'allow-web' });
    await until('it is over', async () => found('policy-opens-port') === 0);
  });
});

describe('one replica leads', () => {
  test('an API server that was away is taken up again by one leader', async () => {
    await cluster.suspend();
    await until('the leader gives up', async () => leaders().length === 0);
    await cluster.resume();
    await cluster.admin.delete(NETWORK_POLICIES, { namespace: 'shop', name: FIRST }).catch(() => undefined);
    await until('the policy is back', () => intact('shop', FIRST), 30_000);
    expect(leaders()).toHaveLength(1);
  });

  test('when it stops the other takes over, and tells nothing again', async () => {
    const [leader = ''] = await until('one leads', async () => leaders().length === 1 && leaders());
    await create(bare(), 'bare-3', 'shop');
    await until('it is told', async () => (await eventsOf('shop', 'bare-3')).length === 1);
    await replicas.find(({ name }) => name === leader)?.stop();
    await until('the other leads', async () => leaders().length === 1 && leaders()[0] !== leader);
    await until('it counts', async () => found('sidecar-missing') === 1);
    await cluster.admin.delete(NETWORK_POLICIES, { namespace: 'shop', name: FIRST });
    await until('the policy is back', () => intact('shop', FIRST));
    expect(await eventsOf('shop', 'bare-3')).toMatchObject([{ count: 1 }]);
    expect(
      (await cluster.admin.get(LEASES, { namespace: RELEASE, name: 'enclave-webhook' }))?.spec,
    ).toMatchObject({
      holderIdentity: leader === 'a' ? 'b' : 'a',
    });
    const writes = replicas.map(({ metrics }) =>
      [...metrics].filter(([key]) => key.startsWith('keeper_failures_total{what="policy"')),
    );
    expect(writes.flat()).toEqual([]);
  });
});

test('it may do this and no more', async () => {
  const kube = await cluster.as('enclave-webhook');
  const data = { x: 'y' };
  for (const attempt of [
    () => kube.delete(PODS, { namespace: 'shop', name: 'bare-3' }),
    () => kube.get(PODS, { namespace: 'shop', name: 'bare-3' }),
    () => kube.patch(NAMESPACES, { name: 'shop' }, { metadata: { labels: data } }),
    () => kube.list(CONFIG_MAPS, { namespace: RELEASE }),
    () => kube.patch(CONFIG_MAPS, { namespace: RELEASE, name: 'enclave-licensing-roots' }, { data }),
    () => kube.create(CONFIG_MAPS, { metadata: { namespace: 'shop', name: 'x' }, data }),
    () => kube.get(LEASES, { namespace: RELEASE, name: 'other' }),
    () => kube.list(EVENTS, { namespace: 'shop' }),
    () => kube.get(SERVICE_ACCOUNTS, { namespace: 'shop', name: 'default' }),
  ])
    await expect(attempt()).rejects.toMatchObject({ reason: 'Forbidden' });
});
