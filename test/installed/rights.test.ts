/**
 * What each component asked of the API server since it was installed, beside what its roles allow: nothing was missing, and nothing is there that
 * nobody uses. After the other suites, whose use of the product this counts; what they leave out is done here.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEFAULT_RELEASE_NAMESPACE, ROOTS_CONFIG_MAP, ROOTS_KEY } from '../../names/components.ts';
import { ENABLED, INJECTION_LABEL } from '../../names/labels.ts';
import type { Environment } from '../../tools/cluster/environment.ts';
import { profileObject } from '../../tools/demo/operator.ts';
import { POLICY_NAMES } from '../../webhook/keeper/wanted-policies.ts';
import { componentRequests } from '../charts/audit-log.ts';
import { chartRights, compareRights, printRight } from '../charts/rights.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

const RELEASE = DEFAULT_RELEASE_NAMESPACE;
const NAMESPACE = 'rights';
const folder = process.env['ENCLAVE_TEST_INSTALLED'] ?? '';

/** Rights that no suite on the installed product uses, why they are there, and which suite does use them. */
const RARE: Readonly<Record<string, string>> = {
  'enclave-webhook: patch networkpolicies.networking.k8s.io':
    'mends a policy that an older release made, or that was edited while the admission policies were not there, which refuse that: test/webhook/keeper.test.ts',
};

let world: World;
let kubectl: Environment['kubectl'];

async function read(args: readonly string[]): Promise<Record<string, unknown>[]> {
  return JSON.parse(await kubectl([...args, '-o', 'json'])).items;
}

beforeAll(async () => {
  world = await startWorld();
  kubectl = world.environment.kubectl;
});
afterAll(async () => {
  await kubectl?.(['delete', 'namespace', NAMESPACE, '--ignore-not-found']);
  await world?.stop();
});

/** The keeper of policies makes one, tells of another's that stands in its way, tells again, and takes its own away. */
async function exerciseWebhook(): Promise<void> {
  const [taken, other] = POLICY_NAMES;
  await kubectl(['create', 'namespace', NAMESPACE]);
  const foreign = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: taken, namespace: NAMESPACE },
    spec: { podSelector: { matchLabels: { app: 'nobody' } } },
  };
  await kubectl(['apply', '-f', '-'], JSON.stringify(foreign));
  await kubectl(['label', 'namespace', NAMESPACE, `${INJECTION_LABEL}=${ENABLED}`]);
  const where = [other ?? '', '-n', NAMESPACE];
  const ours = async (): Promise<string> =>
    kubectl(['get', 'networkpolicy', ...where, '--ignore-not-found', '-o', 'name']);
  await until('the policy is made', async () => (await ours()) !== '', 60_000);
  const event = async () => (await read(['get', 'events', '-n', NAMESPACE]))[0];
  await until('the policy that is in the way is told of', event, 60_000);
  const told = JSON.stringify(await event());
  await kubectl(['delete', 'pod', '-n', RELEASE, '-l', 'app.kubernetes.io/name=enclave-webhook', '--wait']);
  await until('the next leader tells of it too', async () => JSON.stringify(await event()) !== told, 120_000);
  await kubectl(['label', 'namespace', NAMESPACE, `${INJECTION_LABEL}-`]);
  await until('the policy goes with the label', async () => (await ours()) === '', 60_000);
}

/** The certificate service puts the roots back as it wrote them; a line more at their end is read as the same. */
async function exerciseCerts(): Promise<void> {
  const roots = async (): Promise<string> =>
    JSON.parse(await kubectl(['get', 'configmap', ROOTS_CONFIG_MAP, '-n', RELEASE, '-o', 'json'])).data[
      ROOTS_KEY
    ];
  const before = await roots();
  const patch = JSON.stringify({ data: { [ROOTS_KEY]: `${before}\n` } });
  await kubectl(['patch', 'configmap', ROOTS_CONFIG_MAP, '-n', RELEASE, '--type=merge', '-p', patch]);
  await until('the roots are as they were', async () => (await roots()) === before, 60_000);
}

/** The launcher says what an app said before it crashed. */
async function exerciseLauncher(): Promise<void> {
  const profile = profileObject(world.environment) as { metadata: object; spec: object };
  const crashes = {
    ...profile,
    metadata: { ...profile.metadata, name: 'crashes' },
    spec: { ...profile.spec, args: ['--no-such-flag'] },
  };
  await kubectl(['apply', '-f', '-'], JSON.stringify(crashes));
  const user = await world.user('careless');
  const { code, stderr, stdout } = await user.enclavectl(['launch', 'crashes', '--timeout', '90s']);
  expect(code).not.toBe(0);
  expect(stdout + stderr).toContain('it said last');
}

test('what is left to do is done', async () => {
  await exerciseLauncher();
  await exerciseCerts();
  await exerciseWebhook();
  await world.componentsReady();
}, 400_000);

/** The API server's log as it is now. */
function compared(): { missing: string[]; unused: string[] } {
  const log = globSync(join(folder, 'control/audit/audit*.log')).map((file) => readFileSync(file, 'utf8'));
  return compareRights(chartRights(), componentRequests(log.join('\n'), RELEASE));
}

test('each component may do what it does, and no more', async () => {
  expect(Object.keys(RARE).filter((rare) => !chartRights().map(printRight).includes(rare))).toEqual([]);
  // Finished requests are deleted after a minute.
  const unused = () => compared().unused.filter((right) => RARE[right] === undefined);
  await expect.poll(unused, { timeout: 120_000, interval: 2000 }).toEqual([]);
  expect(compared().missing).toEqual([]);
}, 150_000);
