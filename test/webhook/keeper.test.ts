import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INJECTION_LABEL } from '../../names/labels.ts';
import {
  CONFIG_MAPS,
  EVENTS,
  LEASES,
  NAMESPACES,
  NETWORK_POLICIES,
  PODS,
  SERVICE_ACCOUNTS,
} from '../../platform/kube/resources.ts';
import { POLICY_NAMES } from '../../webhook/keeper/wanted-policies.ts';
import { writePolicy } from '../../webhook/keeper/write-policy.ts';
import { RELEASE } from '../certs/cluster.ts';
import { NAMES, startKeeperWorld } from '../support/keeper-world.ts';
import { until } from '../support/until.ts';

let world: Awaited<ReturnType<typeof startKeeperWorld>>;

beforeAll(async () => {
  world = await startKeeperWorld();
}, 90_000);
afterAll(() => world.stop());

describe('network policies', () => {
  test('a labelled namespace gets them; edited, stripped of their label or deleted they come back', async () => {
    const { admin } = world.cluster;
    await world.namespace('shop');
    for (const name of POLICY_NAMES) await until(`${name} is made`, () => world.intact('shop', name));
    const ref = { namespace: 'shop', name: NAMES.first };
    const before = await world.policy('shop', NAMES.first);
    await admin.patch(NETWORK_POLICIES, ref, { spec: { ingress: [{}] } });
    await until('an edit is undone', () => world.intact('shop', NAMES.first));
    const labels = { 'enclave-licensing.dev/managed-by': null };
    await admin.patch(NETWORK_POLICIES, ref, { metadata: { labels }, spec: { ingress: [{}] } });
    await until('an edit that takes the label off is undone', () => world.intact('shop', NAMES.first));
    expect((await world.policy('shop', NAMES.first))?.metadata?.uid).toBe(before?.metadata?.uid);
    await admin.delete(NETWORK_POLICIES, ref);
    await until('what was deleted is made again', () => world.intact('shop', NAMES.first));
  });

  test('somebody else’s object under our name is left as it is, and reported', async () => {
    const theirs = {
      metadata: { namespace: 'late', name: NAMES.second, labels: { app: 'x' } },
      spec: { podSelector: {}, policyTypes: ['Ingress'], ingress: [{}] },
    };
    await world.namespace('late', {});
    const { metadata } = await world.cluster.admin.create(NETWORK_POLICIES, theirs);
    await world.cluster.admin.patch(
      NAMESPACES,
      { name: 'late' },
      { metadata: { labels: { [INJECTION_LABEL]: 'enabled' } } },
    );
    await until('the other one is made', () => world.intact('late', NAMES.first));
    await until('it is counted', async () => world.found('policy-name-taken') === 1);
    const [event] = await until('it is told', async () => {
      const events = await world.eventsOf('late', NAMES.second);
      return events.length > 0 && events;
    });
    expect(event).toMatchObject({
      type: 'Warning',
      reason: 'PolicyNameTaken',
      involvedObject: { kind: 'NetworkPolicy' },
    });
    expect((await world.policy('late', NAMES.second))?.metadata?.resourceVersion).toBe(
      metadata?.resourceVersion,
    );
    await world.cluster.admin.delete(NETWORK_POLICIES, { namespace: 'late', name: NAMES.second });
    await until('ours takes its place', () => world.intact('late', NAMES.second));
    await until('it is over', async () => world.found('policy-name-taken') === 0);
  });

  test('they go with the label, once no enclave runs there; other policies stay', async () => {
    const { admin } = world.cluster;
    await world.namespace('brief');
    for (const name of POLICY_NAMES) await until(`${name} is made`, () => world.intact('brief', name));
    await admin.create(NETWORK_POLICIES, {
      metadata: { namespace: 'brief', name: 'theirs' },
      spec: { podSelector: { matchLabels: { app: 'x' } }, policyTypes: ['Ingress'] },
    });
    // A copy that is behind removes nothing while the label is there.
    const { metadata } = (await world.policy('brief', NAMES.first)) ?? {};
    const remove = {
      kind: 'remove',
      namespace: 'brief',
      name: NAMES.first,
      uid: metadata?.uid ?? '',
    } as const;
    expect(await writePolicy(admin, { ...remove, labelled: true })).toBe(false);
    expect((await world.policy('brief', NAMES.first))?.metadata?.uid).toBe(metadata?.uid);
    await world.create(world.injected('brief'), 'web-1', 'brief');
    await admin.patch(NAMESPACES, { name: 'brief' }, { metadata: { labels: { [INJECTION_LABEL]: null } } });
    await until(
      'an enclave without a labelled namespace is found',
      async () => world.found('namespace-unlabelled') === 1,
    );
    expect(await world.intact('brief', NAMES.first)).toBe(true);
    await admin.delete(PODS, { namespace: 'brief', name: 'web-1' }, { gracePeriodSeconds: 0 });
    for (const name of POLICY_NAMES)
      await until(`${name} is gone`, async () => (await world.policy('brief', name)) === undefined);
    expect(await world.policy('brief', 'theirs')).toBeDefined();
    for (const of of [RELEASE, 'kube-system', 'team'])
      expect(await world.policy(of, NAMES.first)).toBeUndefined();
  });
});

describe('one replica leads', () => {
  test('an API server that was away is taken up again by one leader', async () => {
    await world.cluster.suspend();
    await until('the leader gives up', async () => world.leaders().length === 0);
    await world.cluster.resume();
    await world.cluster.admin
      .delete(NETWORK_POLICIES, { namespace: 'shop', name: NAMES.first })
      .catch(() => undefined);
    await until('the policy is back', () => world.intact('shop', NAMES.first), 30_000);
    expect(world.leaders()).toHaveLength(1);
  });

  test('when it stops the other takes over, and tells nothing again', async () => {
    const [leader = ''] = await until(
      'one leads',
      async () => world.leaders().length === 1 && world.leaders(),
    );
    await world.create(world.bare(), 'bare-3', 'shop');
    await until('it is told', async () => (await world.eventsOf('shop', 'bare-3')).length === 1);
    await world.replicas.find(({ name }) => name === leader)?.stop();
    await until('the other leads', async () => world.leaders().length === 1 && world.leaders()[0] !== leader);
    await until('it counts', async () => world.found('sidecar-missing') === 1);
    await world.cluster.admin.delete(NETWORK_POLICIES, { namespace: 'shop', name: NAMES.first });
    await until('the policy is back', () => world.intact('shop', NAMES.first));
    expect(await world.eventsOf('shop', 'bare-3')).toMatchObject([{ count: 1 }]);
    expect(
      (await world.cluster.admin.get(LEASES, { namespace: RELEASE, name: 'enclave-webhook' }))?.spec,
    ).toMatchObject({
      holderIdentity: leader === 'a' ? 'b' : 'a',
    });
    const writes = world.replicas.map(({ metrics }) =>
      [...metrics].filter(([key]) => key.startsWith('keeper_failures_total{what="policy"')),
    );
    expect(writes.flat()).toEqual([]);
  });
});

test('it may do this and no more', async () => {
  const kube = await world.cluster.as('enclave-webhook');
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
