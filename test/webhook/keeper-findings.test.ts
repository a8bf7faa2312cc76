import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INJECT_LABEL } from '../../names/labels.ts';
import { NETWORK_POLICIES, PODS } from '../../platform/kube/resources.ts';
import { startKeeperWorld } from '../support/keeper-world.ts';
import { loopbackAddress } from '../support/loopback-block.ts';
import { until } from '../support/until.ts';

const APP = loopbackAddress();
let world: Awaited<ReturnType<typeof startKeeperWorld>>;

beforeAll(async () => {
  world = await startKeeperWorld();
}, 90_000);
afterAll(() => world.stop());

describe('findings', () => {
  beforeAll(() => world.namespace('shop'));

  test('a bare pod: one Event, a gauge, a line in the ConfigMap; all over when it is gone', async () => {
    await world.namespace('plain', {});
    await world.create(world.bare(), 'bare-1', 'shop');
    await world.create(world.bare(), 'bare-2', 'plain');
    await world.create(world.injected('shop'), 'good-1', 'shop');
    await until('both are counted', async () => world.found('sidecar-missing') === 2);
    const { summary, findings: lines } = await until('they are written down', async () => {
      const written = await world.findings();
      return (written['summary'] ?? '').startsWith('findings: 2;') && written;
    });
    expect(summary).toMatch(/^findings: 2; labelled namespaces: \d; enclave pods: 3; looked at .* by [ab]$/);
    expect(lines).toMatch(
      /^plain\/bare-2 Pod sidecar-missing: .*no label[\s\S]*^shop\/bare-1 Pod sidecar-missing: /m,
    );
    const events = await world.eventsOf('shop', 'bare-1');
    const pod = await world.cluster.admin.get(PODS, { namespace: 'shop', name: 'bare-1' });
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
    expect(await world.eventsOf('shop', 'good-1')).toEqual([]);
    // Something else changes, everything is looked at again, nothing is told again.
    await world.create(world.injected('shop'), 'good-2', 'shop');
    await until('the new one is counted', async () =>
      (await world.findings())['summary']?.includes('enclave pods: 4;'),
    );
    expect(await world.eventsOf('shop', 'bare-1')).toMatchObject([{ count: 1 }]);
    await world.cluster.admin.delete(PODS, { namespace: 'shop', name: 'bare-1' }, { gracePeriodSeconds: 0 });
    await world.cluster.admin.delete(PODS, { namespace: 'plain', name: 'bare-2' }, { gracePeriodSeconds: 0 });
    await until('it is over', async () => world.found('sidecar-missing') === 0);
    await until('and written down', async () => (await world.findings())['findings'] === '');
  });

  test('a foreign sidecar is told when no rollout explains it; what lasts is counted up, not written again', async () => {
    const pod = world.injected('shop');
    const [sidecar] = pod.spec?.initContainers ?? [];
    const image = `evil@sha256:${'6'.repeat(64)}`;
    const spec = { ...pod.spec, initContainers: [{ ...sidecar, name: sidecar?.name ?? '', image }] };
    await world.create({ ...pod, spec }, 'evil-1', 'shop');
    await world.create(world.bare(), 'bare-4', 'shop');
    await until('both are seen', async () => world.found('sidecar-missing') === 1);
    expect(world.found('sidecar-differs')).toBe(0);
    world.later(4);
    await world.create(world.injected('shop'), 'good-3', 'shop');
    await until('it is counted', async () => world.found('sidecar-differs') === 1);
    await until(
      'it is told',
      async () => (await world.eventsOf('shop', 'evil-1'))[0]?.reason === 'SidecarDiffers',
    );
    world.later(31);
    await world.create(world.injected('shop'), 'good-4', 'shop');
    await until('it is counted up', async () => (await world.eventsOf('shop', 'evil-1'))[0]?.count === 2);
    expect(await world.eventsOf('shop', 'bare-4')).toHaveLength(1);
    for (const name of ['evil-1', 'bare-4'])
      await world.cluster.admin.delete(PODS, { namespace: 'shop', name }, { gracePeriodSeconds: 0 });
    await until(
      'it is over',
      async () => world.found('sidecar-differs') + world.found('sidecar-missing') === 0,
    );
  });

  test('a policy that opens enclaves, and an app that answers past its sidecar', async () => {
    const app = createServer((socket) => socket.destroy());
    app.listen(0, APP);
    await once(app, 'listening');
    const { port } = app.address() as { port: number };
    await world.create(world.injected('shop', port), 'open-1', 'shop', APP);
    await until('the answer is counted', async () => world.found('upstream-reachable') === 1);
    expect(
      await until('it is told', async () => {
        const events = await world.eventsOf('shop', 'open-1');
        return events.length > 0 && events;
      }),
    ).toMatchObject([{ reason: 'UpstreamReachable', message: expect.stringContaining(`${APP}:${port}`) }]);
    app.close();
    await world.cluster.admin.create(NETWORK_POLICIES, {
      metadata: { namespace: 'shop', name: 'allow-web' },
      spec: {
        podSelector: { matchLabels: { [INJECT_LABEL]: 'enabled' } },
        policyTypes: ['Ingress'],
        ingress: [{ ports: [{ protocol: 'TCP', port: 8080 }] }],
      },
    });
    await until('it no longer answers', async () => world.found('upstream-reachable') === 0);
    await until('the policy is counted', async () => world.found('policy-opens-port') === 1);
    await until('and written down', async () =>
      (await world.findings())['findings']?.includes(
        'shop/allow-web NetworkPolicy policy-opens-port: Opens TCP 8080 of',
      ),
    );
    await world.cluster.admin.delete(NETWORK_POLICIES, { namespace: 'shop', name: 'allow-web' });
    await until('it is over', async () => world.found('policy-opens-port') === 0);
  });
});
