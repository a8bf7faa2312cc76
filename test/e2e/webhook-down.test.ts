import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { PORTS } from '../../names/wire.ts';
import { imageReference } from '../../tools/cluster/catalogue.ts';
import type { Person } from '../../tools/demo/people.ts';
import { type AuthorPods, authorPods } from '../support/author-pods.ts';
import { until } from '../support/until.ts';
import { launch, type PodView, startWorld, type World } from '../support/world.ts';

/** What happens while replicas of the webhook are killed or replaced: pods are refused or injected, never let through bare. */
let world: World;
let alice: Person;
let authors: AuthorPods;

beforeAll(async () => {
  world = await startWorld({ nodes: 1 });
  alice = await world.user('alice');
  const { environment } = world;
  authors = authorPods(environment, () => [imageReference(environment.catalogue, 'enclave-sidecar')]);
});
afterAll(() => world?.stop());
afterEach(() => authors?.remove());

const REFUSED =
  /Internal error occurred: failed calling webhook "self-deployed\.enclave-licensing\.dev": .{10,}/;

describe('the only replica', () => {
  test('killed with SIGKILL: pods are refused with the reason, none is let through bare, and it comes back', async () => {
    expect(await authors.create()).toBe('injected');
    for (let round = 0; round < 2; round += 1) {
      const [pid = Number.NaN, ...others] = world.environment.processes('webhook');
      expect(others).toEqual([]);
      process.kill(pid, 'SIGKILL');
      expect(await authors.create()).toMatch(REFUSED);
      const seen: string[] = [];
      await until(
        'pods are created again',
        async () => {
          seen.push(await authors.create());
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
        await until('a pod is created', async () => (await authors.create()) === 'injected', 30_000);
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
    while (!over) seen.push(await authors.create());
    await deletion;
    expect(seen.length).toBeGreaterThan(5);
    expect(seen.filter((each) => each !== 'injected')).toEqual([]);
  }, 60_000);
});
