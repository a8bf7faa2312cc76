import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { DEFAULT_RELEASE_NAMESPACE, ROOTS_CONFIG_MAP, ROOTS_KEY } from '../../names/components.ts';
import { INJECTION_LABEL } from '../../names/labels.ts';
import { ENCLAVE_NAMESPACE, type Environment } from '../../tools/cluster/environment.ts';
import { launcherBinding } from '../../tools/cluster/launcher-binding.ts';
import { applyObjects } from '../../tools/cluster/operate.ts';
import { startEnvironment } from '../../tools/cluster/start-environment.ts';
import { type Person, person } from '../support/enclavectl.ts';

/** `enclavectl doctor` on an installation that works, and on the same with one thing after the other broken. */
let directory: string;
let environment: Environment;
let operator: Person;
let sound: readonly string[];

const RELEASE = DEFAULT_RELEASE_NAMESPACE;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'doctor-'));
  environment = await startEnvironment({ directory });
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
  const whole = await hasDaemonSet();
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

const kubectl = (...args: string[]): Promise<string> => environment.kubectl(args);
const apply = (...objects: object[]): Promise<string> => applyObjects(environment.kubectl, objects);
const file = (name: string): string => join('charts/licensing/files', name);
/** As the chart has it, whatever became of it. */
const restore = (name: string): Promise<string> => kubectl('apply', '-f', file(name));
const json = async <T>(...args: string[]): Promise<T> =>
  JSON.parse(await kubectl('get', ...args, '-o', 'json')) as T;

interface Step {
  readonly what: string;
  readonly broken: () => Promise<unknown>;
  readonly mended: () => Promise<unknown>;
  readonly expected: readonly string[];
  readonly flags?: () => string[];
}

interface BarePod {
  readonly metadata: object;
}
let agent: BarePod | undefined;
const node = (index: number): string => environment.cluster.nodes[index]?.name ?? '';
/** Where the chart installed it, agents are a DaemonSet's. */
const hasDaemonSet = async (): Promise<boolean> =>
  (await environment.tryKubectl(['get', 'daemonset', 'enclave-agent', '-n', RELEASE])).code === 0;
/** The agents' DaemonSet for this node alone, or for all again. */
const selectNode = (name: string | null): Promise<string> =>
  kubectl(
    ...['patch', 'daemonset', 'enclave-agent', '-n', RELEASE, '--type=merge', '-p'],
    JSON.stringify({ spec: { template: { spec: { nodeSelector: { 'kubernetes.io/hostname': name } } } } }),
  );
/** Who a definition says that it belongs to, by helm's annotations. */
const HELM = ['meta.helm.sh/release-name', 'meta.helm.sh/release-namespace'] as const;
const PROFILES = 'enclaveprofiles.enclave-licensing.dev';
let owners: Record<string, string> = {};
const nothing = (): Promise<void> => Promise.resolve();

const STEPS: readonly Step[] = [
  {
    what: 'an agent is gone',
    broken: async () => {
      if (await hasDaemonSet()) return selectNode(node(0));
      agent = await json<BarePod>('pod', `enclave-agent-${node(1)}`, '-n', RELEASE);
      return kubectl('delete', 'pod', `enclave-agent-${node(1)}`, '-n', RELEASE);
    },
    mended: async () =>
      (await hasDaemonSet())
        ? selectNode(null)
        : apply({ ...agent, metadata: { ...agent?.metadata, uid: undefined, resourceVersion: undefined } }),
    expected: ['agent-missing node NODE2'],
  },
  {
    what: 'a TPM does not answer',
    broken: () => environment.cluster.stopTpm(node(1)),
    mended: () => environment.cluster.startTpm(node(1)),
    expected: ['tpm-missing node NODE2'],
  },
  {
    what: 'a policy is not bound any more',
    broken: () => kubectl('delete', 'validatingadmissionpolicybinding', 'connect.enclave-licensing.dev'),
    mended: () => restore('admission.yaml'),
    expected: ['policy-missing ValidatingAdmissionPolicyBinding connect.enclave-licensing.dev'],
  },
  {
    what: 'a policy was weakened',
    broken: () =>
      kubectl(
        ...['patch', 'validatingadmissionpolicy', 'names.enclave-licensing.dev', '--type=merge'],
        ...['-p', '{"spec":{"failurePolicy":"Ignore"}}'],
      ),
    mended: () => restore('admission.yaml'),
    expected: ['policy-differs ValidatingAdmissionPolicy names.enclave-licensing.dev'],
  },
  {
    what: 'the certificate service may not sign',
    broken: async () => {
      const role = await json<{ rules: { resources: string[] }[] }>('clusterrole', 'enclave-certs');
      await apply({ ...role, rules: role.rules.filter(({ resources }) => !resources.includes('signers')) });
    },
    mended: () => restore('certs.yaml'),
    expected: ['signer-right-missing service account enclave-certs'],
  },
  {
    what: 'agents may not ask whose token it is',
    broken: async () => {
      const role = await json<{ rules: { resources: string[] }[] }>('clusterrole', 'enclave-agent');
      await apply({
        ...role,
        rules: role.rules.filter(({ resources }) => !resources.includes('tokenreviews')),
      });
    },
    mended: () => restore('agent.yaml'),
    expected: ['right-missing service account enclave-agent'],
  },
  {
    what: 'a definition belongs to another release',
    broken: async () => {
      const { metadata } = await json<{ metadata: { annotations?: Record<string, string> } }>(
        'crd',
        PROFILES,
      );
      owners = metadata.annotations ?? {};
      return kubectl('annotate', '--overwrite', 'crd', PROFILES, `${HELM[0]}=other`, `${HELM[1]}=elsewhere`);
    },
    mended: () => {
      const back = HELM.map((name) => (owners[name] === undefined ? `${name}-` : `${name}=${owners[name]}`));
      return kubectl('annotate', '--overwrite', 'crd', PROFILES, ...back);
    },
    expected: ['definition-foreign CustomResourceDefinition enclaveprofiles.enclave-licensing.dev'],
  },
  {
    what: 'other roots are pinned',
    broken: nothing,
    mended: nothing,
    // Those of the fixtures.
    flags: () => ['--ca', join(operator.home, 'operator-roots.json')],
    expected: [`front-foreign front at FRONT`, `roots-not-pinned ConfigMap ${ROOTS_CONFIG_MAP}`],
  },
  {
    what: 'a webhook lets pods through when it is down',
    broken: () =>
      kubectl(
        ...['patch', 'mutatingwebhookconfiguration', 'enclave-licensing', '--type=json'],
        ...['-p', '[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]'],
      ),
    mended: () => restore('webhook.yaml'),
    expected: ['webhook-differs MutatingWebhookConfiguration enclave-licensing'],
  },
  {
    what: 'the launcher has no rights in a namespace',
    broken: () => kubectl('delete', 'rolebinding', 'enclave-launcher', '-n', ENCLAVE_NAMESPACE),
    mended: () => apply(launcherBinding(ENCLAVE_NAMESPACE, RELEASE)),
    expected: [`launcher-not-bound namespace ${ENCLAVE_NAMESPACE}`],
  },
  {
    what: 'a namespace that is never injected is labelled',
    broken: () => kubectl('label', 'namespace', 'kube-system', `${INJECTION_LABEL}=enabled`),
    mended: () => kubectl('label', 'namespace', 'kube-system', `${INJECTION_LABEL}-`),
    expected: ['namespace-excluded namespace kube-system'],
  },
  {
    what: 'the webhook is down',
    broken: () => environment.replicas('enclave-webhook', 0),
    mended: () => environment.replicas('enclave-webhook', 1),
    expected: [
      'admission-refuses pods in namespace enclaves',
      'component-missing enclave-webhook',
      'no-leader Lease enclave-webhook',
    ],
  },
  {
    what: 'the certificate service is down, and what it keeps is spoilt',
    broken: async () => {
      await environment.replicas('enclave-certs', 0);
      await kubectl(
        ...['patch', 'validatingwebhookconfiguration', 'enclave-licensing', '--type=json'],
        ...['-p', '[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]'],
      );
      await kubectl(
        ...['patch', 'configmap', ROOTS_CONFIG_MAP, '-n', RELEASE, '--type=merge'],
        ...['-p', JSON.stringify({ data: { [ROOTS_KEY]: '{"system":[]}' } })],
      );
    },
    mended: () => environment.replicas('enclave-certs', 1),
    expected: [
      'admission-refuses pods in namespace enclaves',
      'ca-bundle-missing ValidatingWebhookConfiguration enclave-licensing',
      'component-missing enclave-certs',
      'no-leader Lease enclave-certs',
      `roots-invalid ConfigMap ${ROOTS_CONFIG_MAP}`,
    ],
  },
];

test.each(STEPS)('$what', async ({ broken, mended, expected, flags }) => {
  const names = expected.map((line) =>
    line.replace('FRONT', environment.frontAddress).replace('NODE2', node(1)),
  );
  await broken();
  try {
    await expect.poll(() => news(...(flags?.() ?? [])), { timeout: 40_000 }).toEqual(names);
  } finally {
    await mended();
  }
  await expect.poll(() => news(), { timeout: 40_000 }).toEqual([]);
});

test('with the rights of the chart’s own doctor it sees as much, and without the one for pods it says so', async () => {
  // The chart has them during its test alone.
  await restore('doctor.yaml');
  const token = (await kubectl('create', 'token', 'enclave-doctor', '-n', RELEASE)).trim();
  const config = parse(await kubectl('config', 'view', '--raw', '--minify')) as { users: { user: object }[] };
  for (const each of config.users) each.user = { token };
  const path = join(directory, 'doctor.kubeconfig');
  writeFileSync(path, stringify(config), { mode: 0o600 });
  const closed = await news('--kubeconfig', path);
  expect(closed).toHaveLength(2);
  for (const line of closed) expect(line).toMatch(/^unread creating .* cannot create resource "pods"/);
  await kubectl(
    ...['create', 'rolebinding', 'enclave-doctor', '-n', ENCLAVE_NAMESPACE],
    ...['--clusterrole=enclave-doctor-namespace', `--serviceaccount=${RELEASE}:enclave-doctor`],
  );
  await expect.poll(() => news('--kubeconfig', path)).toEqual([]);
  await kubectl('delete', '-f', file('doctor.yaml'));
  await kubectl('delete', 'rolebinding', 'enclave-doctor', '-n', ENCLAVE_NAMESPACE);
});

test('an API server that is away is told as such', async () => {
  await environment.cluster.suspendApi();
  try {
    expect(await operator.run('doctor')).toMatchObject({ exit: 3, out: '' });
  } finally {
    await environment.cluster.resumeApi();
  }
});
