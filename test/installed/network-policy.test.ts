import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { ENABLED, ENCLAVE_LABEL, INJECTION_LABEL } from '../../names/labels.ts';
import { PORTS } from '../../names/wire.ts';
import { ENCLAVE_NAMESPACE } from '../../tools/cluster/environment.ts';
import { PROFILE, profileObject, UPSTREAM } from '../../tools/demo/operator.ts';
import type { Person } from '../../tools/demo/people.ts';
import { runningCluster } from '../../tools/kubernetes/cluster/cluster.ts';
import { machineOf, startPart, stopPart } from '../../tools/kubernetes/cluster/faults.ts';
import type { Layout } from '../../tools/kubernetes/cluster/layout.ts';
import { runIn } from '../../tools/kubernetes/cluster/machine.ts';
import { forwarded } from '../support/forwarded.ts';
import { until } from '../support/until.ts';
import { startWorld, succeed, type World } from '../support/world.ts';
import { addressOf, appPod, enclaveThatDials, reached, type Target } from './dials.ts';

/**
 * What the network policies of the chart and of the webhook let through, where something enforces them (tools/kubernetes/network-policies), and that
 * without it everything is open.
 */
const STRANGERS = 'strangers';
/** The namespace that the cluster's values let scrape. */
const MONITORING = 'monitoring';
/** Of enclaves whose operator closes their way out. */
const CLOSED = 'closed';
const NAMESPACES = [STRANGERS, MONITORING, CLOSED];
const CLEAR = 'clear';
const APP_PORT = 8080;
const ENFORCER = 'network-policies';

let world: World;
let alice: Person;
let at: Layout;
let enclave: string;
let bystander: string;
let targets: Record<string, Target>;

const kubectl = (...args: string[]): Promise<string> => world.environment.kubectl(args);
const apply = (object: object): Promise<string> =>
  world.environment.kubectl(['apply', '-f', '-'], JSON.stringify(object));
const launchClear = () => alice.enclavectl(['launch', CLEAR, '--timeout', '60s']);
/** What the pod reaches of all there is, once rules have followed the pods: nothing else for as long as it is looked at. */
const from = (namespace: string, pod: string) => reached(world.environment, { namespace, pod }, targets);
const settles = (namespace: string, pod: string, expected: readonly string[]): Promise<unknown> =>
  expect.poll(() => from(namespace, pod), { timeout: 20_000 }).toEqual([...expected].sort());

beforeAll(async () => {
  world = await startWorld();
  const { environment, settings } = world;
  const { releaseNamespace } = environment;
  const found = runningCluster(resolve(process.env['ENCLAVE_TEST_INSTALLED'] ?? ''));
  if (found === undefined) throw new Error('no cluster is up: run make cluster');
  at = found;
  for (const name of NAMESPACES)
    await apply({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, ...(name === CLOSED && { labels: { [INJECTION_LABEL]: ENABLED } }) },
    });
  for (const [index, node] of at.nodes.entries())
    await apply(appPod(environment, { namespace: STRANGERS, name: `stranger${index + 1}`, node: node.name }));
  await apply(appPod(environment, { namespace: MONITORING, name: 'scraper' }));
  const profile = profileObject(environment) as { spec: object };
  await apply({
    ...profile,
    metadata: { name: CLEAR, namespace: ENCLAVE_NAMESPACE },
    spec: { ...profile.spec, upstream: `pod:${APP_PORT}`, args: [`--port=${APP_PORT}`, '--host=0.0.0.0'] },
  });
  const policyFile = settings['ENCLAVECTL_POLICY'] ?? '';
  const policy = parse(readFileSync(policyFile, 'utf8')) as object;
  writeFileSync(policyFile, stringify({ ...policy, upstream: [UPSTREAM, `pod:${APP_PORT}`] }));
  alice = await world.user('alice');
  const launched = await launchClear();
  expect(launched.code, `${launched.stdout}${launched.stderr}`).toBe(0);
  const [pod] = JSON.parse(
    await kubectl('get', 'pods', '-n', ENCLAVE_NAMESPACE, '-l', ENCLAVE_LABEL, '-o', 'json'),
  ).items as { metadata: { name: string }; status: { podIP: string } }[];
  enclave = pod?.metadata.name ?? '';
  for (const namespace of [STRANGERS, MONITORING])
    await kubectl('wait', '--for=condition=Ready', 'pod', '--all', '-n', namespace, '--timeout=60s');
  bystander = await addressOf(environment, STRANGERS, 'stranger1');
  const component = (name: string): Promise<string> =>
    addressOf(environment, releaseNamespace, '-l', `app.kubernetes.io/name=enclave-${name}`);
  const host = pod?.status.podIP ?? '';
  targets = {
    'ordinary pod': { host: bystander, port: APP_PORT },
    'enclave app': { host, port: APP_PORT },
    'enclave sidecar': { host, port: PORTS.sidecar },
    'enclave metrics': { host, port: PORTS.health },
  };
  for (const name of ['certs', 'webhook', 'launcher', 'front'] as const) {
    targets[name] = { host: await component(name), port: PORTS[name] };
    targets[`${name} metrics`] = { host: await component(name), port: PORTS.health };
  }
  targets['agent'] = { host: await component('agent'), port: PORTS.agent };
  targets['agent metrics'] = { host: await component('agent'), port: PORTS.health };
}, 180_000);
afterAll(async () => {
  if (at !== undefined) for (const { name } of at.nodes) startPart(at, name, ENFORCER);
  await world?.environment.tryKubectl(['delete', 'enclaveprofile', CLEAR, '-n', ENCLAVE_NAMESPACE]);
  for (const name of NAMESPACES)
    await world?.environment.tryKubectl(['delete', 'namespace', name, '--ignore-not-found', '--wait=true']);
  await world?.stop();
}, 120_000);

/** Open to whoever is in the cluster: TLS says there who may, or there is nothing to hide. */
const OPEN = ['agent', 'agent metrics', 'enclave metrics', 'enclave sidecar', 'front', 'ordinary pod'];
const METRICS = ['certs metrics', 'front metrics', 'launcher metrics', 'webhook metrics'];

describe('what a policy lets through', () => {
  test('a pod of another namespace, on either node, reaches enclaves by their sidecars only, and of the release what users and sidecars call', async () => {
    for (const index of at.nodes.keys()) await settles(STRANGERS, `stranger${index + 1}`, OPEN);
  });

  test('who may scrape reaches metrics too, and no more', () =>
    settles(MONITORING, 'scraper', [...OPEN, ...METRICS]));

  test('each component reaches what it has to, and no pod beside', async () => {
    const { environment } = world;
    const of = async (name: string): Promise<readonly string[]> => {
      const pod = await kubectl(
        ...[
          'get',
          'pods',
          '-n',
          environment.releaseNamespace,
          '-l',
          `app.kubernetes.io/name=enclave-${name}`,
        ],
        ...['-o', 'jsonpath={.items[0].metadata.name}'],
      );
      return from(environment.releaseNamespace, pod);
    };
    // Itself is not of interest.
    expect((await of('front')).filter((name) => !name.startsWith('front'))).toEqual(['certs', 'launcher']);
    expect((await of('launcher')).filter((name) => !name.startsWith('launcher'))).toEqual([
      ...['certs', 'enclave metrics', 'enclave sidecar'],
    ]);
    expect((await of('certs')).filter((name) => !name.startsWith('certs'))).toEqual([]);
    expect((await of('webhook')).filter((name) => !name.startsWith('webhook'))).toEqual([
      ...['enclave metrics', 'enclave sidecar'],
    ]);
  });

  test('the enclave is used as ever: through its sidecar, by who may', async () => {
    const connection = await forwarded(alice, world.settings, [enclave]);
    try {
      const answer = await fetch(`http://127.0.0.1:${connection.port}/through`);
      expect(await answer.json()).toMatchObject({ app: 'demo-app', path: '/through' });
    } finally {
      await connection.stop();
    }
  });
});

describe('the way out of an enclave', () => {
  const CONTROL = ['ordinary pod', 'enclave sidecar', 'enclave app', 'front', 'launcher', 'certs'];
  const chosen = (): Record<string, Target> =>
    Object.fromEntries(Object.entries(targets).filter(([name]) => CONTROL.includes(name)));
  /** What the app of a self-deployed enclave reached when it started, which is after its sidecar was attested. */
  const reaches = async (namespace: string): Promise<readonly string[]> => {
    const name = 'outgoing';
    await apply(enclaveThatDials(world.environment, { namespace, name }, chosen()));
    await kubectl('wait', '--for=condition=Ready', `pod/${name}`, '-n', namespace, '--timeout=60s');
    const said = await until(
      'the app has dialled',
      async () => /^reached (.*)$/m.exec(await kubectl('logs', name, '-n', namespace, '-c', 'app'))?.[1],
    );
    return JSON.parse(said) as string[];
  };

  test('is open: the webhook’s policies are about the way in', async () => {
    expect(await reaches(ENCLAVE_NAMESPACE)).toEqual(['enclave sidecar', 'front', 'ordinary pod']);
  });

  test('an operator may close it to all but the agents: the enclave is attested, and its app gets nowhere', async () => {
    await apply({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'agents-only', namespace: CLOSED },
      spec: {
        podSelector: {},
        policyTypes: ['Egress'],
        egress: [{ ports: [{ protocol: 'TCP', port: PORTS.agent }] }],
      },
    });
    expect(await reaches(CLOSED)).toEqual([]);
  });
});

describe('where nothing enforces them', () => {
  beforeAll(async () => {
    for (const { name } of at.nodes) {
      await stopPart(at, name, ENFORCER, 'SIGKILL');
      for (const chain of ['INPUT', 'FORWARD', 'OUTPUT'])
        await runIn(machineOf(at, name), ['iptables', '--flush', chain]);
    }
  });
  afterAll(() => {
    for (const { name } of at.nodes) startPart(at, name, ENFORCER);
  });

  test('everything is open, the app past its sidecar among it', () =>
    settles(STRANGERS, 'stranger1', Object.keys(targets)));

  test('a launch of an app that others reach fails, and one on a unix socket does not', async () => {
    const { code, stdout, stderr } = await launchClear();
    expect(`${stdout}${stderr}`).toContain('not-isolated');
    expect(code).not.toBe(0);
    await succeed(alice, ['launch', PROFILE, '--timeout', '60s']);
  });

  test('and closed again by itself when the enforcer is back', async () => {
    for (const { name } of at.nodes) startPart(at, name, ENFORCER);
    await settles(STRANGERS, 'stranger1', OPEN);
  });
});
