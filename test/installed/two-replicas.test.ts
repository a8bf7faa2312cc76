import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mustRun } from '../../tools/cluster/command.ts';
import { ENCLAVE_NAMESPACE, RELEASE_NAME } from '../../tools/cluster/environment.ts';
import { helmOf } from '../../tools/cluster/operate.ts';
import type { Person } from '../../tools/demo/people.ts';
import { CONTROL_ADDRESS } from '../../tools/kubernetes/cluster/layout.ts';
import { untilRolledOut } from '../../tools/kubernetes/cluster/until-rolled-out.ts';
import { PostgresServer } from '../support/postgres.ts';
import { until } from '../support/until.ts';
import { launch, type PodView, startWorld, succeed, type World } from '../support/world.ts';

/** The release with `ha: true`: front in PostgreSQL, over TLS, on the control plane's address as any server outside the cluster. */
const REPLICATED = ['enclave-certs', 'enclave-front', 'enclave-launcher', 'enclave-webhook'];
let folder: string;
let server: PostgresServer;
let world: World;
let alice: Person;

const helm = async (...args: readonly string[]): Promise<void> => {
  const { cluster, kubectl, releaseNamespace } = world.environment;
  await (await helmOf(cluster.kubeconfig, folder))([...args, '-n', releaseNamespace]);
  await untilRolledOut(kubectl, releaseNamespace, () => undefined, new AbortController().signal);
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'replicas-'));
  const [key, ca, values] = ['key.pem', 'ca.pem', 'ha.json'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await mustRun('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'],
    ...[
      '-subj',
      '/CN=database',
      '-addext',
      `subjectAltName=IP:${CONTROL_ADDRESS}`,
      '-keyout',
      key,
      '-out',
      ca,
    ],
  ]);
  server = await PostgresServer.start({
    tls: { key: readFileSync(key, 'utf8'), certificate: readFileSync(ca, 'utf8') },
    listen: CONTROL_ADDRESS,
    peers: '0.0.0.0/0',
  });
  const { database } = server.createDatabase();
  const url = server.text(database, 'verify-full', CONTROL_ADDRESS).trim();
  writeFileSync(
    values,
    JSON.stringify({
      ha: true,
      front: { database: { url, ca: readFileSync(ca, 'utf8'), port: server.port } },
    }),
  );
  world = await startWorld();
  const { cluster, kubectl, releaseNamespace } = world.environment;
  // A new database knows nothing of what runs.
  await kubectl(['delete', 'pods', '-n', ENCLAVE_NAMESPACE, '--all', '--wait=true']);
  const ask = await helmOf(cluster.kubeconfig, folder);
  const before = await ask(['get', 'values', RELEASE_NAME, '-n', releaseNamespace, '-o', 'yaml']);
  writeFileSync(join(folder, 'before.yaml'), before);
  await helm('upgrade', RELEASE_NAME, 'charts/licensing', '--reset-then-reuse-values', '-f', values);
  alice = await world.user('alice');
}, 300_000);
afterAll(async () => {
  try {
    if (world !== undefined) {
      await world.environment.kubectl(['delete', 'pods', '-n', ENCLAVE_NAMESPACE, '--all', '--wait=true']);
      // Not `helm rollback`: it does not take up again what it was told to keep, the claim of the SQLite file.
      await helm(
        'upgrade',
        RELEASE_NAME,
        'charts/licensing',
        '--reset-values',
        '-f',
        join(folder, 'before.yaml'),
      );
      await world.stop();
    }
  } finally {
    server?.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}, 300_000);

test('every component but the agent runs twice, on two nodes', async () => {
  const { kubectl, releaseNamespace } = world.environment;
  for (const component of REPLICATED) {
    const label = `app.kubernetes.io/name=${component}`;
    const { items } = JSON.parse(
      await kubectl(['get', 'pods', '-n', releaseNamespace, '-l', label, '-o', 'json']),
    ) as { items: PodView[] };
    // Those of before the upgrade may still be going.
    const staying = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const nodes = staying.map(({ spec }) => spec.nodeName).sort();
    expect([component, ...nodes]).toEqual([component, 'node1', 'node2']);
  }
});

test.each(['seat', 'certified'])(
  'one front is killed when launches have reached %s: each ends ready, and every seat has its pod',
  async (phase) => {
    let killed: number | undefined;
    const kill = (reached: string): void => {
      if (reached !== phase || killed !== undefined) return;
      killed = world.environment.processes('front')[0];
      if (killed !== undefined) process.kill(killed, 'SIGKILL');
    };
    const outcomes = await Promise.all(Array.from({ length: 3 }, () => launch(alice, kill)));
    expect(killed).toBeDefined();
    for (const { code, output } of outcomes) expect(code, output).toBe(0);
    const { enclaves } = JSON.parse(await succeed(alice, ['ls', '--json'])) as {
      enclaves: { id: string; state: string }[];
    };
    const ids = outcomes.map(({ enclave }) => enclave).sort();
    expect(
      enclaves
        .filter(({ state }) => state === 'ready')
        .map(({ id }) => id)
        .sort(),
    ).toEqual(ids);
    for (const id of ids) {
      await succeed(alice, ['status', id, '--verify']);
      await succeed(alice, ['stop', id]);
    }
    await until('no pod without a seat', async () => (await world.pods()).length === 0, 60_000);
    await until('both fronts run', () => world.environment.processes('front').length === 2, 60_000);
    await world.componentsReady();
  },
  240_000,
);

test('the database dies and comes back: front says so, and goes on by itself', async () => {
  server.stop();
  const { kubectl, releaseNamespace } = world.environment;
  const ready = (): Promise<string> =>
    kubectl([
      ...['get', 'deployment', 'enclave-front', '-n', releaseNamespace],
      ...['-o', 'jsonpath={.status.readyReplicas}'],
    ]);
  await until('no front is ready', async () => (await ready()) === '', 90_000);
  server.resume();
  await until('both are', async () => (await ready()) === '2', 90_000);
  const { code, output } = await launch(alice);
  expect(code, output).toBe(0);
}, 240_000);
