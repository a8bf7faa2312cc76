import { afterAll, beforeAll, expect, test } from 'vitest';
import { SIDECAR_CONTAINER } from '../../names/sidecar.ts';
import { imageReference } from '../../tools/cluster/catalogue.ts';
import { ENCLAVE_NAMESPACE } from '../../tools/cluster/environment.ts';
import { UPSTREAM } from '../../tools/demo/operator.ts';
import { launch, startWorld, type World } from '../support/world.ts';

/** The cluster's administrator, who may do anything that Kubernetes asks RBAC about, gets into no enclave with kubectl. */
const ORDINARY = 'ordinary';
let world: World;
let enclave: string;

beforeAll(async () => {
  world = await startWorld();
  const outcome = await launch(await world.user('alice'));
  expect(outcome.code, outcome.output).toBe(0);
  enclave = outcome.enclave;
  const { kubectl, catalogue } = world.environment;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: ORDINARY, namespace: 'default' },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'app', image: imageReference(catalogue, 'demo-app'), args: ['--port', '8080'] }],
    },
  };
  await kubectl(['apply', '-f', '-'], JSON.stringify(pod));
  await kubectl(['wait', '--for=condition=Ready', `pod/${ORDINARY}`, '-n', 'default', '--timeout=60s']);
});
afterAll(async () => {
  await world?.environment.tryKubectl(['delete', 'pod', ORDINARY, '-n', 'default', '--wait=false']);
  await world?.stop();
});

const NODE = ['/usr/bin/node', '--version'];
interface Attempt {
  readonly what: string;
  args(pod: string, image: string): string[];
}
const ATTEMPTS: readonly Attempt[] = [
  { what: 'exec into the app', args: (pod) => ['exec', pod, '-c', 'app', '--', ...NODE] },
  { what: 'exec into the sidecar', args: (pod) => ['exec', pod, '-c', SIDECAR_CONTAINER, '--', ...NODE] },
  { what: 'attach', args: (pod) => ['attach', pod, '-c', 'app', '--pod-running-timeout=5s'] },
  { what: 'cp out', args: (pod) => ['cp', `${pod}:/app/main.js`, '/dev/null', '-c', 'app'] },
  { what: 'cp in', args: (pod) => ['cp', 'package.json', `${pod}:${UPSTREAM.slice(5)}.x`, '-c', 'app'] },
  { what: 'port-forward', args: (pod) => ['port-forward', `pod/${pod}`, ':8443'] },
  {
    what: 'an ephemeral container',
    args: (pod, image) => ['debug', pod, `--image=${image}`, '--target=app', '--profile=restricted'],
  },
];

test.each(ATTEMPTS)('$what is refused, with what to do instead', async ({ args }) => {
  const { tryKubectl, catalogue } = world.environment;
  const argv = ['-n', ENCLAVE_NAMESPACE, ...args(enclave, imageReference(catalogue, 'demo-app'))];
  const { code, stdout, stderr } = await tryKubectl(argv);
  expect(code, stdout).not.toBe(0);
  expect(stderr).toMatch(/ValidatingAdmissionPolicy '[a-z-]+\.enclave-licensing\.dev'/);
  expect(stdout).not.toContain('v24.');
});

test('the same exec works elsewhere: it is the enclave that is closed, not the cluster', async () => {
  const said = await world.environment.kubectl(['exec', ORDINARY, '-n', 'default', '--', ...NODE]);
  expect(said).toMatch(/^v24\./);
});

test('a debugging copy of the pod is no enclave: it is refused too', async () => {
  const { tryKubectl, catalogue } = world.environment;
  const { code, stderr } = await tryKubectl([
    ...['-n', ENCLAVE_NAMESPACE, 'debug', enclave, '--copy-to=copy', '--share-processes'],
    ...[`--image=${imageReference(catalogue, 'demo-app')}`, '--profile=restricted', '--keep-labels'],
  ]);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/enclave-licensing\.dev/);
});
