import { connect, type Socket } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SIDECAR_CONTAINER } from '../../names/sidecar.ts';
import { imageReference } from '../../tools/cluster/catalogue.ts';
import type { Person } from '../../tools/demo/people.ts';
import { runningCluster } from '../../tools/kubernetes/cluster/cluster.ts';
import type { Layout } from '../../tools/kubernetes/cluster/layout.ts';
import { untilRolledOut } from '../../tools/kubernetes/cluster/until-rolled-out.ts';
import { authorPods } from '../support/author-pods.ts';
import { type Forwarded, forwarded } from '../support/forwarded.ts';
import { until } from '../support/until.ts';
import { launch, type PodView, startWorld, succeed, type World } from '../support/world.ts';
import { FAULTS, type Site } from './fault-list.ts';

/**
 * Each fault with a launch and an open mutual-TLS connection under way. After it: no wrong pod, no seat lost, the connection lives if its
 * pod could, everything is Ready again without hands.
 */
let world: World;
let alice: Person;
let at: Layout;
let enclave: string;
let connection: Forwarded;
let socket: Socket;
/** Those of pods that an upgrade found go on being good. */
const sidecars = new Set<string>();
/** Requests that the connections carried. */
let beats = 0;
const table: string[] = [];

beforeAll(async () => {
  world = await startWorld();
  const found = runningCluster(resolve(process.env['ENCLAVE_TEST_INSTALLED'] ?? ''));
  if (found === undefined) throw new Error('no cluster is up: run make cluster');
  at = found;
  sidecars.add(imageReference(world.environment.catalogue, 'enclave-sidecar'));
  alice = await world.user('alice');
});
afterAll(async () => {
  await connection?.stop();
  await world?.stop();
  console.log(
    [
      '| fault | launch | connection | pods of authors | Ready again | next launch |',
      '|---|---|---|---|---|---|',
      ...table,
    ].join('\n'),
  );
});

/** An enclave with a connection that has carried a request; the one of the fault before, when it lives. */
async function connected(): Promise<void> {
  if (socket !== undefined && !socket.destroyed) return;
  await connection?.stop();
  const outcome = await launch(alice);
  expect(outcome.code, outcome.output).toBe(0);
  enclave = outcome.enclave;
  connection = await forwarded(alice, world.settings, [enclave]);
  socket = connect(connection.port, '127.0.0.1');
  socket.on('error', () => socket.destroy());
  expect(await ask('/first')).toContain('/first');
  void beat(socket);
}

/** One request on the connection that stays open. */
function ask(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new Error('the connection was closed'));
    socket.once('close', closed);
    socket.once('data', (chunk) => {
      socket.off('close', closed);
      beats += 1;
      resolve(chunk.toString());
    });
    socket.write(`GET ${path} HTTP/1.1\r\nhost: app\r\n\r\n`);
  });
}

/** Asks twice a second for as long as it can: an app ends connections on which nothing happens. */
async function beat(on: Socket): Promise<void> {
  while (!on.destroyed) {
    await sleep(500);
    if (!on.destroyed) await ask('/beat').catch(() => on.destroy());
  }
}

/** Whether the connection carries another request. */
async function carriesOn(): Promise<boolean> {
  const before = beats;
  await until('the connection carries on or is closed', () => socket.destroyed || beats > before + 1);
  return !socket.destroyed;
}

async function site(): Promise<Site> {
  const pod = (await world.pods()).find(({ metadata }) => metadata.name === enclave);
  const node = pod?.spec.nodeName ?? '';
  const other = at.nodes.find(({ name }) => name !== node)?.name ?? '';
  const policyFile = world.settings.ENCLAVECTL_POLICY;
  return {
    environment: world.environment,
    ...{ at, node, other, policyFile, sidecars },
    said: connection.said,
    launch: (saying) => launch(alice, saying),
    stop: (id) => alice.enclavectl(['stop', id]),
  };
}

/** Authors try all the time, and once more when it is over; ends with how their pods fared. @throws when one was let through bare */
function tryPods(): () => Promise<string> {
  const authors = authorPods(world.environment, () => [...sidecars]);
  const seen: string[] = [];
  let over = Number.POSITIVE_INFINITY;
  const trying = (async () => {
    for (;;) {
      seen.push(await authors.create());
      const late = performance.now() - over;
      if (late > 60_000) throw new Error(`authors still have no pod:\n${seen.join('\n')}`);
      if (late > 0 && seen.at(-1) === 'injected') return;
      await sleep(500);
    }
  })();
  trying.catch(() => undefined);
  return async () => {
    over = performance.now();
    await trying;
    await authors.remove();
    const injected = seen.filter((each) => each === 'injected').length;
    return `${injected} injected, ${seen.length - injected} refused`;
  };
}

/** Each rolled out to its last replica: a pod that is missing counts too. */
function componentsReady(): Promise<void> {
  const { kubectl, releaseNamespace } = world.environment;
  return untilRolledOut(kubectl, releaseNamespace, () => undefined, new AbortController().signal);
}

interface NodeView {
  readonly spec: { readonly unschedulable?: boolean };
  readonly status: {
    readonly conditions: readonly {
      readonly type: string;
      readonly status: string;
      readonly lastHeartbeatTime: string;
    }[];
  };
}

/**
 * Each takes pods, and its kubelet has said so since the fault was over. After a minute without an API server the controller manager's watches come back up to a minute
 * later, and until then it takes nodes for lost.
 */
async function nodesReady(since: number): Promise<void> {
  const isReady = ({ spec, status }: NodeView): boolean =>
    spec.unschedulable !== true &&
    status.conditions.some(
      ({ type, status: is, lastHeartbeatTime }) =>
        type === 'Ready' && is === 'True' && Date.parse(lastHeartbeatTime) > since,
    );
  await until(
    'every node is Ready',
    async () => {
      const nodes = JSON.parse(await world.environment.kubectl(['get', 'nodes', '-o', 'json'])) as {
        items: NodeView[];
      };
      return nodes.items.length === at.nodes.length && nodes.items.every(isReady);
    },
    120_000,
  );
}

interface InjectedPod extends PodView {
  readonly spec: PodView['spec'] & {
    readonly initContainers?: readonly { readonly name: string; readonly image: string }[];
  };
}

const OVER = ['stopped', 'failed'];

interface Listed {
  readonly id: string;
  readonly state: string;
}

test.each(FAULTS)(
  '$what',
  async ({ what, inject, restarts = {}, endsConnection }) => {
    await connected();
    const where = await site();
    const before = await world.restarts();
    let readySeconds = Number.NaN;
    let tried = '';
    const fault = async (): Promise<void> => {
      const endTrying = tryPods();
      try {
        await inject(where);
        const over = Date.now();
        for (const [component, count] of Object.entries(restarts))
          await until(
            `${component} is started again`,
            async () => (await world.restarted(component, before)).filter(Boolean).length >= count,
            60_000,
          );
        await componentsReady();
        readySeconds = (Date.now() - over) / 1000;
        await nodesReady(over);
      } catch (error) {
        await endTrying().catch(() => undefined);
        throw error;
      }
      tried = await endTrying();
    };
    let underWay: Promise<void> | undefined;
    const outcome = await launch(alice, (phase) => {
      if (phase !== 'created') return;
      underWay = fault();
      underWay.catch(() => undefined);
    });
    // A launch that was over before it was created has met nothing: then the fault comes now.
    await (underWay ?? fault());
    // The launch: good, or over with a reason that a person can read.
    if (outcome.code !== 0) expect(outcome.output).toMatch(/enclavectl: .{10,}/);
    const alive = await carriesOn();
    expect(alive, connection.said()).toBe(endsConnection === undefined);
    // No wrong pod: each one of an enclave has the sidecar of this release.
    for (const { spec } of (await world.pods()) as InjectedPod[]) {
      const [sidecar] = spec.initContainers ?? [];
      expect(sidecar?.name).toBe(SIDECAR_CONTAINER);
      expect([...sidecars]).toContain(sidecar?.image);
    }
    const next = await until(
      'the next launch is good',
      async () => {
        const tried = await launch(alice);
        return tried.code === 0 && tried;
      },
      90_000,
    );
    // No seat lost: what runs is what has one.
    const living = alive ? [enclave, next.enclave] : [next.enclave];
    if (outcome.code === 0) living.push(outcome.enclave);
    await until(
      'seats and pods are the same',
      async () => {
        const { enclaves } = JSON.parse(await succeed(alice, ['ls', '--json'])) as { enclaves: Listed[] };
        const seats = enclaves.filter(({ state }) => !OVER.includes(state)).map(({ id }) => id);
        const pods = (await world.pods()).map(({ metadata }) => metadata.name);
        return seats.every((id) => pods.includes(id)) && pods.every((id) => seats.includes(id));
      },
      90_000,
    );
    for (const id of living)
      if (id !== enclave)
        await until('stopped', async () => (await alice.enclavectl(['stop', id])).code === 0);
    const launched =
      outcome.code === 0 ? 'good' : `ended: ${/enclavectl: (.{0,60})/.exec(outcome.output)?.[1]}`;
    const ready = `${readySeconds.toFixed(1)} s`;
    table.push(`| ${what} | ${launched} | ${endsConnection ?? 'lives'} | ${tried} | ${ready} | good |`);
  },
  420_000,
);
