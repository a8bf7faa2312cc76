import { join } from 'node:path';
import { DEFAULT_RELEASE_NAMESPACE, ROOTS_CONFIG_MAP, ROOTS_KEY } from '../../names/components.ts';
import { INJECTION_LABEL } from '../../names/labels.ts';
import { ENCLAVE_NAMESPACE, type Environment } from '../../tools/cluster/environment.ts';
import { launcherBinding } from '../../tools/cluster/launcher-binding.ts';
import { applyObjects } from '../../tools/cluster/operate.ts';

const RELEASE = DEFAULT_RELEASE_NAMESPACE;
/** Who a definition says that it belongs to, by helm's annotations. */
const HELM = ['meta.helm.sh/release-name', 'meta.helm.sh/release-namespace'] as const;
const PROFILES = 'enclaveprofiles.enclave-licensing.dev';

export type Installation = ReturnType<typeof installation>;

/** An installation as one breaks and mends it. */
export function installation(environment: Environment) {
  const kubectl = (...args: string[]): Promise<string> => environment.kubectl(args);
  return {
    environment,
    kubectl,
    apply: (...objects: object[]): Promise<string> => applyObjects(environment.kubectl, objects),
    /** As the chart has it, whatever became of it. */
    restore: (name: string): Promise<string> => kubectl('apply', '-f', join('charts/licensing/files', name)),
    json: async <T>(...args: string[]): Promise<T> =>
      JSON.parse(await kubectl('get', ...args, '-o', 'json')) as T,
    node: (index: number): string => environment.cluster.nodes[index]?.name ?? '',
    /** Where the chart installed it, agents are a DaemonSet's. */
    hasDaemonSet: async (): Promise<boolean> =>
      (await environment.tryKubectl(['get', 'daemonset', 'enclave-agent', '-n', RELEASE])).code === 0,
    /** The agents' DaemonSet for this node alone, or for all again. */
    selectNode: (name: string | null): Promise<string> =>
      kubectl(
        ...['patch', 'daemonset', 'enclave-agent', '-n', RELEASE, '--type=merge', '-p'],
        JSON.stringify({
          spec: { template: { spec: { nodeSelector: { 'kubernetes.io/hostname': name } } } },
        }),
      ),
  };
}

interface Break {
  readonly what: string;
  readonly broken: (on: Installation) => Promise<unknown>;
  readonly mended: (on: Installation) => Promise<unknown>;
  /** `code about` of each finding; FRONT and NODE2 stand for front's address and the second node's name. */
  readonly expected: readonly string[];
  /** For the command, whose caller's home this is. */
  readonly flags?: (home: string) => string[];
}

interface BarePod {
  readonly metadata: object;
}
let agent: BarePod | undefined;
let owners: Record<string, string> = {};
const nothing = (): Promise<void> => Promise.resolve();

/** One thing after the other that may be wrong with an installation, and what the doctor says of it. */
export const BREAKS: readonly Break[] = [
  {
    what: 'an agent is gone',
    broken: async (on) => {
      if (await on.hasDaemonSet()) return on.selectNode(on.node(0));
      agent = await on.json<BarePod>('pod', `enclave-agent-${on.node(1)}`, '-n', RELEASE);
      return on.kubectl('delete', 'pod', `enclave-agent-${on.node(1)}`, '-n', RELEASE);
    },
    mended: async (on) =>
      (await on.hasDaemonSet())
        ? on.selectNode(null)
        : on.apply({
            ...agent,
            metadata: { ...agent?.metadata, uid: undefined, resourceVersion: undefined },
          }),
    expected: ['agent-missing node NODE2'],
  },
  {
    what: 'a TPM does not answer',
    broken: (on) => on.environment.cluster.stopTpm(on.node(1)),
    mended: (on) => on.environment.cluster.startTpm(on.node(1)),
    expected: ['tpm-missing node NODE2'],
  },
  {
    what: 'a policy is not bound any more',
    broken: (on) => on.kubectl('delete', 'validatingadmissionpolicybinding', 'connect.enclave-licensing.dev'),
    mended: (on) => on.restore('admission.yaml'),
    expected: ['policy-missing ValidatingAdmissionPolicyBinding connect.enclave-licensing.dev'],
  },
  {
    what: 'a policy was weakened',
    broken: (on) =>
      on.kubectl(
        ...['patch', 'validatingadmissionpolicy', 'names.enclave-licensing.dev', '--type=merge'],
        ...['-p', '{"spec":{"failurePolicy":"Ignore"}}'],
      ),
    mended: (on) => on.restore('admission.yaml'),
    expected: ['policy-differs ValidatingAdmissionPolicy names.enclave-licensing.dev'],
  },
  {
    what: 'the certificate service may not sign',
    broken: async (on) => {
      const role = await on.json<{ rules: { resources: string[] }[] }>('clusterrole', 'enclave-certs');
      await on.apply({
        ...role,
        rules: role.rules.filter(({ resources }) => !resources.includes('signers')),
      });
    },
    mended: (on) => on.restore('certs.yaml'),
    expected: ['signer-right-missing service account enclave-certs'],
  },
  {
    what: 'agents may not ask whose token it is',
    broken: async (on) => {
      const role = await on.json<{ rules: { resources: string[] }[] }>('clusterrole', 'enclave-agent');
      await on.apply({
        ...role,
        rules: role.rules.filter(({ resources }) => !resources.includes('tokenreviews')),
      });
    },
    mended: (on) => on.restore('agent.yaml'),
    expected: ['right-missing service account enclave-agent'],
  },
  {
    what: 'a definition belongs to another release',
    broken: async (on) => {
      const { metadata } = await on.json<{ metadata: { annotations?: Record<string, string> } }>(
        'crd',
        PROFILES,
      );
      owners = metadata.annotations ?? {};
      return on.kubectl(
        'annotate',
        '--overwrite',
        'crd',
        PROFILES,
        `${HELM[0]}=other`,
        `${HELM[1]}=elsewhere`,
      );
    },
    mended: (on) => {
      const back = HELM.map((name) => (owners[name] === undefined ? `${name}-` : `${name}=${owners[name]}`));
      return on.kubectl('annotate', '--overwrite', 'crd', PROFILES, ...back);
    },
    expected: ['definition-foreign CustomResourceDefinition enclaveprofiles.enclave-licensing.dev'],
  },
  {
    what: 'other roots are pinned',
    broken: nothing,
    mended: nothing,
    // Those of the fixtures.
    flags: (home) => ['--ca', join(home, 'operator-roots.json')],
    expected: [`front-foreign front at FRONT`, `roots-not-pinned ConfigMap ${ROOTS_CONFIG_MAP}`],
  },
  {
    what: 'a webhook lets pods through when it is down',
    broken: (on) =>
      on.kubectl(
        ...['patch', 'mutatingwebhookconfiguration', 'enclave-licensing', '--type=json'],
        ...['-p', '[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]'],
      ),
    mended: (on) => on.restore('webhook.yaml'),
    expected: ['webhook-differs MutatingWebhookConfiguration enclave-licensing'],
  },
  {
    what: 'the launcher has no rights in a namespace',
    broken: (on) => on.kubectl('delete', 'rolebinding', 'enclave-launcher', '-n', ENCLAVE_NAMESPACE),
    mended: (on) => on.apply(launcherBinding(ENCLAVE_NAMESPACE, RELEASE)),
    expected: [`launcher-not-bound namespace ${ENCLAVE_NAMESPACE}`],
  },
  {
    what: 'a namespace that is never injected is labelled',
    broken: (on) => on.kubectl('label', 'namespace', 'kube-system', `${INJECTION_LABEL}=enabled`),
    mended: (on) => on.kubectl('label', 'namespace', 'kube-system', `${INJECTION_LABEL}-`),
    expected: ['namespace-excluded namespace kube-system'],
  },
  {
    what: 'the webhook is down',
    broken: ({ environment }) => environment.replicas('enclave-webhook', 0),
    mended: ({ environment }) => environment.replicas('enclave-webhook', 1),
    expected: [
      'admission-refuses pods in namespace enclaves',
      'component-missing enclave-webhook',
      'no-leader Lease enclave-webhook',
    ],
  },
  {
    what: 'the certificate service is down, and what it keeps is spoilt',
    broken: async (on) => {
      await on.environment.replicas('enclave-certs', 0);
      await on.kubectl(
        ...['patch', 'validatingwebhookconfiguration', 'enclave-licensing', '--type=json'],
        ...['-p', '[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]'],
      );
      await on.kubectl(
        ...['patch', 'configmap', ROOTS_CONFIG_MAP, '-n', RELEASE, '--type=merge'],
        ...['-p', JSON.stringify({ data: { [ROOTS_KEY]: '{"system":[]}' } })],
      );
    },
    mended: (on) => on.environment.replicas('enclave-certs', 1),
    expected: [
      'admission-refuses pods in namespace enclaves',
      'ca-bundle-missing ValidatingWebhookConfiguration enclave-licensing',
      'component-missing enclave-certs',
      'no-leader Lease enclave-certs',
      `roots-invalid ConfigMap ${ROOTS_CONFIG_MAP}`,
    ],
  },
];
