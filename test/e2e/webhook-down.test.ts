import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { compareSidecar } from '../../injection/compare-sidecar.ts';
import type { Pod } from '../../injection/pod.ts';
import { DEFAULT_ENCLAVE_DOMAIN } from '../../names/components.ts';
import { ANNOTATIONS, INJECT_LABEL } from '../../names/labels.ts';
import { PORTS } from '../../names/wire.ts';
import { imageReference } from '../../tools/cluster/catalogue.ts';
import { ENCLAVE_NAMESPACE } from '../../tools/cluster/environment.ts';
import type { Person } from '../../tools/demo/people.ts';
import { until } from '../support/until.ts';
import { launch, type PodView, startWorld, type World } from '../support/world.ts';

/** What happens while replicas of the webhook are killed or replaced: pods are refused or injected, never let through bare. */
let world: World;
let alice: Person;
let made = 0;

beforeAll(async () => {
  world = await startWorld({ nodes: 1 });
  alice = await world.user('alice');
});
afterAll(() => world?.stop());
afterEach(async () => {
  await world.environment.kubectl([
    'delete',
    'pods',
    '-n',
    ENCLAVE_NAMESPACE,
    '-l',
    INJECT_LABEL,
    '--wait=false',
    '--grace-period=0',
    '--force',
  ]);
});

/** A pod of a workload author, new each time; without a node, so that nothing runs it. */
function wanted(): Pod {
  made += 1;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `author-${made}`,
      namespace: ENCLAVE_NAMESPACE,
      labels: { [INJECT_LABEL]: 'enabled' },
      annotations: { [ANNOTATIONS.upstream]: '8080', [ANNOTATIONS.ownerKey]: '0f'.repeat(32) },
    },
    spec: {
      containers: [{ name: 'app', image: imageReference(world.environment.catalogue, 'demo-app') }],
      nodeSelector: { 'no-such': 'node' },
    },
  };
}

/** `injected`, or why not. @throws when a pod was let through without its sidecar */
async function create(): Promise<string> {
  const { environment } = world;
  const pod = wanted();
  const answer = await environment.tryKubectl(['create', '-f', '-', '-o', 'json'], JSON.stringify(pod));
  if (answer.code !== 0) {
    const there = await environment.tryKubectl([
      'get',
      'pod',
      pod.metadata?.name ?? '',
      '-n',
      ENCLAVE_NAMESPACE,
    ]);
    expect(there.code, 'a pod that was refused is not there').not.toBe(0);
    return answer.stderr.trim();
  }
  const sidecar = compareSidecar(JSON.parse(answer.stdout) as Pod, {
    sidecarImages: [imageReference(environment.catalogue, 'enclave-sidecar')],
    enclaveDomain: DEFAULT_ENCLAVE_DOMAIN,
    acceptsRoots: () => true,
  });
  expect(sidecar, 'a pod that was created has its sidecar').toMatchObject({ ok: true });
  return 'injected';
}

const REFUSED =
  /Internal error occurred: failed calling webhook "self-deployed\.enclave-licensing\.dev": .{10,}/;

describe('the only replica', () => {
  test('killed with SIGKILL: pods are refused with the reason, none is let through bare, and it comes back', async () => {
    expect(await create()).toBe('injected');
    for (let round = 0; round < 2; round += 1) {
      const [pid = Number.NaN, ...others] = world.environment.processes('webhook');
      expect(others).toEqual([]);
      process.kill(pid, 'SIGKILL');
      expect(await create()).toMatch(REFUSED);
      const seen: string[] = [];
      await until(
        'pods are created again',
        async () => {
          seen.push(await create());
          return seen.at(-1) === 'injected';
        },
        60_000,
      );
      for (const each of seen.slice(0, -1)) expect(each).toMatch(REFUSED);
      await world.componentsReady();
    }
  });
});

describe('two replicas', () => {
  const release = () => world.environment.releaseNamespace;

  test('one killed with SIGKILL again and again: launches do not notice, controllers’ retries do not either', async () => {
    await world.environment.replicas('enclave-webhook', 2);
    await until('two processes', async () => world.environment.processes('webhook').length === 2);
    let killing = true;
    let killed = 0;
    const killer = (async () => {
      for (let turn = 0; killing; turn += 1) {
        const pids = world.environment.processes('webhook');
        // Never the last one.
        if (pids.length === 2) {
          const before = await world.restarts();
          process.kill(pids[turn % 2] ?? Number.NaN, 'SIGKILL');
          killed += 1;
          await until('it is started again', async () =>
            (await world.restarted('webhook', before)).some(Boolean),
          );
        }
        await world.componentsReady();
      }
    })();
    try {
      for (let i = 0; i < 2 || killed < 2; i += 1) {
        const outcome = await launch(alice);
        expect(outcome.output).toContain('ready');
        expect(outcome.code, outcome.output).toBe(0);
        expect((await alice.enclavectl(['stop', outcome.enclave])).code).toBe(0);
        // As a controller does: what failed is tried again, and the other replica answers.
        await until('a pod is created', async () => (await create()) === 'injected', 30_000);
      }
      expect(killed).toBeGreaterThan(1);
    } finally {
      killing = false;
      await killer;
    }
  }, 120_000);

  test('one replaced as a Deployment does it: no creation fails, without a retry', async () => {
    await world.componentsReady();
    const ofWebhook = ['-n', release(), '-l', 'app.kubernetes.io/name=enclave-webhook'];
    const listed = await world.environment.kubectl(['get', 'pods', ...ofWebhook, '-o', 'json']);
    const replica = (JSON.parse(listed) as { items: PodView[] }).items.at(-1);
    const address = replica?.status.podIP ?? '';
    const deletion = world.environment.kubectl([
      ...['delete', 'pod', replica?.metadata.name ?? '', '-n', release(), '--wait=true'],
    ]);
    let over = false;
    void deletion.finally(() => {
      over = true;
    });
    // An API server that has not heard of it yet still gets an answer.
    await until(
      'the replica is not ready',
      async () => (await fetch(`http://${address}:9464/readyz`)).status === 503,
    );
    await once(connect(PORTS.webhook, address), 'connect');
    const seen: string[] = [];
    while (!over) seen.push(await create());
    await deletion;
    expect(seen.length).toBeGreaterThan(5);
    expect(seen.filter((each) => each !== 'injected')).toEqual([]);
  }, 60_000);
});
