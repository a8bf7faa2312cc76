import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { DEFAULT_RELEASE_NAMESPACE } from '../../names/components.ts';
import { ENCLAVE_NAMESPACE, type Environment } from '../../tools/cluster/environment.ts';
import { startEnvironment } from '../../tools/cluster/start-environment.ts';
import { type Person, person } from '../support/enclavectl.ts';
import { BREAKS, type Installation, installation } from './doctor-breaks.ts';

/** `enclavectl doctor` on an installation that works, and on the same with one thing after the other broken. */
let directory: string;
let environment: Environment;
let operator: Person;
let on: Installation;
let sound: readonly string[];

const RELEASE = DEFAULT_RELEASE_NAMESPACE;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'doctor-'));
  environment = await startEnvironment({ directory });
  on = installation(environment);
  operator = person(environment.frontAddress, {
    KUBECONFIG: environment.cluster.kubeconfig,
    ENCLAVECTL_CA: environment.rootsFile,
  });
});
afterAll(async () => {
  operator?.remove();
  await environment?.stop();
  rmSync(directory, { recursive: true, force: true });
});

interface Report {
  readonly outcome: string;
  readonly checks: readonly {
    readonly check: string;
    readonly findings: readonly { readonly code: string; readonly about: string; readonly remedy: string }[];
    readonly unread: readonly string[];
  }[];
}

/** `code about` of each finding, and what could not be looked at. */
async function told(...flags: string[]): Promise<string[]> {
  const { out } = await operator.run('doctor', '--json', ...flags);
  const { checks } = JSON.parse(out) as Report;
  return checks.flatMap(({ findings, unread }) => [
    ...findings.map(({ code, about }) => `${code} ${about}`),
    ...unread.map((line) => `unread ${line}`),
  ]);
}

/** What is told that is not told of the sound installation. */
async function news(...flags: string[]): Promise<string[]> {
  return (await told(...flags)).filter((line) => !sound.includes(line)).sort();
}

test('of an installation that works it says what its cluster lacks, and nothing else', async () => {
  const emulated = `tpm-emulated nodes ${environment.cluster.nodes.map(({ name }) => name).join(', ')}`;
  const { real } = environment.cluster;
  const whole = await on.hasDaemonSet();
  sound = [
    // A kube-apiserver alone: nobody writes EndpointSlices. The development cluster has neither them nor ValidatingAdmissionPolicies.
    ...(real && !whole
      ? ['certs', 'webhook', 'launcher', 'front'].map(
          (each) => `component-unreachable Service enclave-${each}`,
        )
      : []),
    ...(real ? [] : ['policies-not-in-force pods in namespace enclaves']),
    emulated,
  ];
  await expect.poll(() => told(), { timeout: 30_000 }).toEqual(sound);
  const [warned, allowed] = whole ? [1, 0] : [2, 2];
  expect((await operator.run('doctor')).exit).toBe(warned);
  expect((await operator.run('doctor', '--allow-warnings')).exit).toBe(allowed);
});

test.each(BREAKS)('$what', async ({ broken, mended, expected, flags }) => {
  const names = expected.map((line) =>
    line.replace('FRONT', environment.frontAddress).replace('NODE2', on.node(1)),
  );
  await broken(on);
  try {
    await expect.poll(() => news(...(flags?.(operator.home) ?? [])), { timeout: 40_000 }).toEqual(names);
  } finally {
    await mended(on);
  }
  await expect.poll(() => news(), { timeout: 40_000 }).toEqual([]);
});

test('with the rights of the chart’s own doctor it sees as much, and without the one for pods it says so', async () => {
  // The chart has them during its test alone.
  await on.restore('doctor.yaml');
  const token = (await on.kubectl('create', 'token', 'enclave-doctor', '-n', RELEASE)).trim();
  const config = parse(await on.kubectl('config', 'view', '--raw', '--minify')) as {
    users: { user: object }[];
  };
  for (const each of config.users) each.user = { token };
  const path = join(directory, 'doctor.kubeconfig');
  writeFileSync(path, stringify(config), { mode: 0o600 });
  const closed = await news('--kubeconfig', path);
  expect(closed).toHaveLength(2);
  for (const line of closed) expect(line).toMatch(/^unread creating .* cannot create resource "pods"/);
  await on.kubectl(
    ...['create', 'rolebinding', 'enclave-doctor', '-n', ENCLAVE_NAMESPACE],
    ...['--clusterrole=enclave-doctor-namespace', `--serviceaccount=${RELEASE}:enclave-doctor`],
  );
  await expect.poll(() => news('--kubeconfig', path)).toEqual([]);
  await on.kubectl('delete', '-f', 'charts/licensing/files/doctor.yaml');
  await on.kubectl('delete', 'rolebinding', 'enclave-doctor', '-n', ENCLAVE_NAMESPACE);
});

test('an API server that is away is told as such', async () => {
  await environment.cluster.suspendApi();
  try {
    expect(await operator.run('doctor')).toMatchObject({ exit: 3, out: '' });
  } finally {
    await environment.cluster.resumeApi();
  }
});
