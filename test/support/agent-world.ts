import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseRoots, type Roots } from '../../formats/evidence/roots.ts';
import type { InjectionConfig } from '../../injection/config.ts';
import { launchedPod } from '../../injection/launched-pod.ts';
import { injectedPod } from '../../injection/spec-sha256.ts';
import { agentDnsName, DEFAULT_ENCLAVE_DOMAIN, ROOTS_CONFIG_MAP, ROOTS_KEY } from '../../names/components.ts';
import { ENABLED, INJECTION_LABEL } from '../../names/labels.ts';
import { AGENT_AUDIENCE, PORTS } from '../../names/wire.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { createKube } from '../../platform/kube/create-kube.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { apiServerFromKubeconfig } from '../../platform/kube/kubeconfig.ts';
import { CONFIG_MAPS, NAMESPACES, PODS, type Pod, SERVICE_ACCOUNTS } from '../../platform/kube/resources.ts';
import { type Catalogue, type ImageName, imageReference, REGISTRY } from '../../tools/cluster/catalogue.ts';
import { componentPods } from '../../tools/cluster/component-pods.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { kubectlFor } from './kubectl.ts';
import { until } from './until.ts';

export const ENCLAVES = 'enclaves';

/** A cluster of one node on which the real certificate service and the real agent run, and no webhook: pods are injected here. */
export interface AgentWorld {
  readonly cluster: Cluster;
  readonly kube: Kube;
  readonly node: string;
  readonly agentHost: string;
  readonly agentName: string;
  readonly roots: Roots;
  readonly injection: InjectionConfig;
  readonly appImage: string;
  /** Creates an injected enclave's pod. */
  create(name: string, edit?: (pod: Pod) => void): Promise<Pod>;
  /** The same; resolves when it has an address. */
  enclave(name: string, edit?: (pod: Pod) => void): Promise<{ pod: Pod; address: string }>;
  /** A token as the kubelet projects it. */
  token(pod: Pod, audience?: string): Promise<string>;
  /** Log of `agent` or `certs`, lines of JSON. */
  log(component: 'agent' | 'certs'): Promise<string>;
  stop(): Promise<void>;
}

const AGENT: readonly string[] = [process.execPath, resolve('agent/main.ts')];
const COMMANDS: Partial<Record<ImageName, readonly string[]>> = {
  'enclave-certs': [process.execPath, resolve('certs/main.ts')],
  // Stands where a sidecar would; the test itself calls from its address.
  'enclave-sidecar': ['sleep', 'infinity'],
  'demo-app': ['sleep', 'infinity'],
  'enclave-webhook': [],
  'enclave-front': [],
  'enclave-launcher': [],
};

function images(changed: Partial<Record<ImageName, readonly string[]>>): Catalogue {
  const entries = Object.entries({ 'enclave-agent': AGENT, ...COMMANDS, ...changed }).map(
    ([name, command], i) => [`${REGISTRY}/${name}`, { digest: `sha256:${String(i).repeat(64)}`, command }],
  );
  return { images: Object.fromEntries(entries) };
}

export interface AgentWorldOptions {
  /** What runs as the agent, before its arguments; default: the agent. */
  readonly agent?: readonly string[];
  /** What other images run. */
  readonly images?: Partial<Record<ImageName, readonly string[]>>;
  /** Asked before the agent starts, when nobody has the node's TPM yet: flags for the agent, in place of the same ones. */
  agentArgs?(node: { readonly tpm: string }): Promise<readonly string[]>;
}

export async function startAgentWorld(options: AgentWorldOptions = {}): Promise<AgentWorld> {
  const directory = await mkdtemp(join(tmpdir(), 'ag-'));
  const catalogue = images({ ...options.images, 'enclave-agent': options.agent ?? AGENT });
  const catalogueFile = join(directory, 'catalogue.json');
  await writeFile(catalogueFile, JSON.stringify(catalogue));
  const cluster = await startCluster({ directory: join(directory, 'c'), nodes: 1, catalogueFile });
  const [node] = cluster.nodes;
  if (node === undefined) throw new Error('no node');
  const kube = createKube(apiServerFromKubeconfig(cluster.kubeconfig));
  const stop = async (): Promise<void> => {
    kube.close();
    await cluster.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const kubectl = await kubectlFor(cluster.kubeconfig, directory);
    const file = (name: string): string[] => ['-f', resolve('charts/licensing/files', name)];
    await kubectl('apply', ...file('namespace.yaml'), ...file('crds.yaml'));
    await kubectl('apply', ...file('certs.yaml'), ...file('agent.yaml'));
    await kube.create(NAMESPACES, { metadata: { name: ENCLAVES, labels: { [INJECTION_LABEL]: ENABLED } } });
    const release = {
      catalogue,
      namespace: 'enclave-licensing',
      enclaveNamespaces: [ENCLAVES],
      nodes: [{ name: node.name, tpmDirectory: resolve(node.tpm, '..') }],
      ekRootsDirectory: cluster.ekRootsDir,
      frontNames: ['front.test'],
      requireIsolation: false,
      seats: 1,
      webhookConfigurations: ['enclave-licensing'],
    };
    const pods = componentPods(release) as Pod[];
    const named = (prefix: string): Pod => {
      const pod = pods.find(({ metadata }) => metadata?.name?.startsWith(prefix));
      if (pod === undefined) throw new Error(`no pod ${prefix}`);
      return pod;
    };
    await kube.create(PODS, named('enclave-certs'));
    const certs = await until('the certificate service has an address', async () => {
      const pod = await kube.get(PODS, { name: 'enclave-certs', namespace: release.namespace });
      return pod?.status?.podIP;
    });
    // Straight to the pod: another cluster on this machine may have the same Service address.
    const agent = named('enclave-agent');
    for (const container of agent.spec?.containers ?? []) {
      const ours = [`--certs=${certs}:${PORTS.certs}`, ...((await options.agentArgs?.(node)) ?? [])];
      const isOurs = (arg: string): boolean => ours.some((own) => arg.split('=')[0] === own.split('=')[0]);
      container.args = [...(container.args ?? []).filter((arg) => !isOurs(arg)), ...ours];
    }
    await kube.create(PODS, agent);
    const agentPod = { name: `enclave-agent-${node.name}`, namespace: release.namespace };
    const ready = await until('the agent is ready', async () => {
      const pod = await kube.get(PODS, agentPod);
      return (
        pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') && pod
      );
    }).catch(async (error: unknown) => {
      const all = await kubectl.try('get', 'pods,events,configmaps', '-A', '-o', 'wide');
      const log = async (name: string): Promise<string> => kube.log({ ...agentPod, name }).catch(String);
      throw new Error(`${error}\n${all.stdout}\n${await log(agentPod.name)}\n${await log('enclave-certs')}`);
    });
    const map = await kube.get(CONFIG_MAPS, { name: ROOTS_CONFIG_MAP, namespace: release.namespace });
    const rootsText = map?.data?.[ROOTS_KEY] ?? '';
    const roots = parseRoots(rootsText);
    if (!roots.ok) throw new Error(roots.message);
    const injection = {
      crypto: nodeCrypto,
      sidecarImage: imageReference(catalogue, 'enclave-sidecar'),
      roots: rootsText,
      enclaveDomain: DEFAULT_ENCLAVE_DOMAIN,
    };
    const appImage = imageReference(catalogue, 'demo-app');
    const create: AgentWorld['create'] = async (name, edit) => {
      const launch = { enclave: name, ownerKeySha256: 'ab'.repeat(32), namespace: ENCLAVES };
      const injected = injectedPod(launchedPod({ image: appImage, upstream: 'pod:8080' }, launch), injection);
      if (!injected.ok) throw new Error(injected.message);
      const pod = injected.value as Pod;
      edit?.(pod);
      return kube.create(PODS, pod);
    };
    return {
      cluster,
      kube,
      node: node.name,
      agentHost: ready.status?.podIP ?? '',
      agentName: agentDnsName(node.name),
      roots: roots.value,
      injection,
      appImage,
      create,
      enclave: async (name, edit) => {
        const { metadata } = await create(name, edit);
        const pod = await until(`${name} has an address`, async () => {
          const found = await kube.get(PODS, { name, namespace: metadata?.namespace ?? ENCLAVES });
          return found?.status?.podIP ? found : undefined;
        });
        return { pod, address: pod.status?.podIP ?? '' };
      },
      token: async (pod, audience = AGENT_AUDIENCE) => {
        const { metadata, spec } = pod;
        const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: metadata?.name, uid: metadata?.uid };
        const answer = await kube.createSubresource<{ status: { token: string } }>(
          SERVICE_ACCOUNTS,
          { name: spec?.serviceAccountName ?? 'default', namespace: metadata?.namespace ?? ENCLAVES },
          'token',
          {
            apiVersion: 'authentication.k8s.io/v1',
            kind: 'TokenRequest',
            spec: { audiences: [audience], expirationSeconds: 600, boundObjectRef },
          },
        );
        return answer.status.token;
      },
      log: (component) => kube.log(component === 'agent' ? agentPod : { ...agentPod, name: 'enclave-certs' }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

export const AGENT_PORT = PORTS.agent;
