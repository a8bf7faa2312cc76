/** The whole product, an enclave of alice's in it, and mallory: somebody with a namespace user's rights who wants in. */
import { readFileSync } from 'node:fs';
import { parseRoots } from '../../formats/evidence/roots.ts';
import type { Pod } from '../../injection/pod.ts';
import { injectedPod } from '../../injection/spec-sha256.ts';
import { agentDnsName, DEFAULT_ENCLAVE_DOMAIN } from '../../names/components.ts';
import { AGENT_AUDIENCE, AGENT_PATHS, PORTS } from '../../names/wire.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { imageReference } from '../../tools/cluster/catalogue.ts';
import type { CommandResult } from '../../tools/cluster/command.ts';
import { ENCLAVE_NAMESPACE } from '../../tools/cluster/environment.ts';
import { applyObjects, kubectlOf } from '../../tools/cluster/operate.ts';
import type { Person } from '../../tools/demo/people.ts';
import { CONTROL_ADDRESS } from '../../tools/kubernetes/cluster/layout.ts';
import { type Answer, SidecarCalls } from '../agent/sidecar-calls.ts';
import { type PodRelay, podRelays } from '../support/pod-relay.ts';
import { until } from '../support/until.ts';
import { launch, startWorld, type World } from '../support/world.ts';
import { honestPod, type LoosePod, malloryKubeconfig, malloryObjects, PLAIN } from './bypass-mallory.ts';

/** The API server is a real kube-apiserver: it knows policies and ephemeral containers. */
export const REAL = ['ENCLAVE_TEST_KUBERNETES_BIN', 'ENCLAVE_TEST_INSTALLED'].some(
  (name) => (process.env[name] ?? '') !== '',
);
/** On the installed product pods have networks of their own. */
export const INSTALLED = (process.env['ENCLAVE_TEST_INSTALLED'] ?? '') !== '';
/** An address of where the suite runs that is no pod's. */
export const ELSEWHERE = INSTALLED ? CONTROL_ADDRESS : '127.0.0.1';

export interface Bypass {
  readonly world: World;
  stop(): Promise<void>;
  readonly alice: Person;
  /** Enclaves that alice launched: one that nobody gets into, and one for each change that somebody makes. */
  readonly victim: string;
  readonly changed: readonly string[];
  readonly appImage: string;
  readonly sidecarImage: string;
  /** kubectl with mallory's token, in the enclaves' namespace unless told otherwise. */
  mallory(args: readonly string[], input?: object): Promise<CommandResult>;
  /** What mallory deploys as an honest author would; `edit` is what else mallory has in mind. */
  pod(name: string, edit?: (pod: LoosePod) => void): LoosePod;
  /** The same with the sidecar that the webhook would inject, put in by hand; `before` is done before that. */
  injected(name: string, edit?: (pod: LoosePod) => void, before?: (pod: LoosePod) => void): LoosePod;
  /** Created by mallory, which must succeed; resolves to its address. */
  running(pod: LoosePod): Promise<string>;
  address(name: string, namespace?: string): Promise<string>;
  /** A token of the agents' audience that mallory asks the API server for. */
  token(account: string, pod?: string, namespace?: string): Promise<string>;
  /** A connection to the agent from this address. */
  connection(address: string, token: string): Promise<SidecarCalls>;
  /** What the agent answers to one call. */
  call(address: string, token: string): Promise<Answer>;
  /** Whether alice's client still verifies the enclave. */
  verifies(enclave: string): Promise<CommandResult>;
}

export async function startBypass(changes: number): Promise<Bypass> {
  const world = await startWorld({ nodes: 1, seats: 6 });
  try {
    return await bypassOf(world, changes);
  } catch (error) {
    await world.stop();
    throw error;
  }
}

async function bypassOf(world: World, changes: number): Promise<Bypass> {
  const { environment } = world;
  const { kubectl, catalogue, cluster } = environment;
  await applyObjects(kubectl, malloryObjects());
  const kubeconfig = await malloryKubeconfig(environment);
  const { tryKubectl } = await kubectlOf(kubeconfig, environment.directory);
  const mallory: Bypass['mallory'] = (args, input) =>
    tryKubectl(args, input === undefined ? undefined : JSON.stringify(input));
  const [node, ...others] = cluster.nodes;
  if (node === undefined) throw new Error('no node');
  // Everybody's pods are of the node whose agent is asked.
  for (const { name } of others) await kubectl(['cordon', name]);
  const alice = await world.user('alice');
  const launched = async (): Promise<string> => {
    const outcome = await launch(alice);
    if (outcome.code !== 0) throw new Error(outcome.output);
    return outcome.enclave;
  };
  const [victim = '', ...changed] = await Promise.all(Array.from({ length: 1 + changes }, launched));
  const rootsText = readFileSync(environment.rootsFile, 'utf8');
  const roots = parseRoots(rootsText);
  if (!roots.ok) throw new Error(roots.message);
  const agent = { agentHost: node.address, agentName: agentDnsName(node.name), roots: roots.value };
  const appImage = imageReference(catalogue, 'demo-app');
  const sidecarImage = imageReference(catalogue, 'enclave-sidecar');
  const pod: Bypass['pod'] = (name, edit) => {
    const made = honestPod(name, appImage);
    edit?.(made);
    return made;
  };
  const address: Bypass['address'] = (name, namespace = ENCLAVE_NAMESPACE) =>
    until(`${name} has an address`, async () => {
      const found = await kubectl(['get', 'pod', name, '-n', namespace, '-o', 'jsonpath={.status.podIP}']);
      return found !== '' && found;
    });
  const relays = podRelays(environment, { host: node.address, port: PORTS.agent });
  const origin = async (from: string): Promise<string | PodRelay> =>
    INSTALLED && from !== ELSEWHERE ? relays.of(from) : from;
  const stop = async (): Promise<void> => {
    relays.stop();
    for (const { name } of others) await kubectl(['uncordon', name]);
    if (INSTALLED) {
      await kubectl(['delete', 'namespace', PLAIN, '--ignore-not-found']);
      await kubectl(['delete', 'pods', '--all', '-n', ENCLAVE_NAMESPACE, '--now']);
    }
    await world.stop();
  };
  return {
    world,
    stop,
    alice,
    victim,
    changed,
    appImage,
    sidecarImage,
    mallory,
    pod,
    injected: (name, edit, before) => {
      const config = {
        crypto: nodeCrypto,
        sidecarImage,
        roots: rootsText,
        enclaveDomain: DEFAULT_ENCLAVE_DOMAIN,
      };
      const made = injectedPod(pod(name, before) as unknown as Pod, config);
      if (!made.ok) throw new Error(made.message);
      const injected = structuredClone(made.value) as unknown as LoosePod;
      edit?.(injected);
      return injected;
    },
    running: async (made) => {
      const { code, stderr } = await mallory(['create', '-f', '-'], made);
      if (code !== 0) throw new Error(stderr);
      return address(made.metadata.name, made.metadata.namespace);
    },
    address,
    token: async (account, bound, namespace = ENCLAVE_NAMESPACE) => {
      const to = bound === undefined ? [] : ['--bound-object-kind=Pod', `--bound-object-name=${bound}`];
      const uid =
        bound === undefined
          ? []
          : [
              `--bound-object-uid=${await kubectl(['get', 'pod', bound, '-n', namespace, '-o', 'jsonpath={.metadata.uid}'])}`,
            ];
      const answer = await mallory([
        ...['create', 'token', account, '-n', namespace, `--audience=${AGENT_AUDIENCE}`, ...to, ...uid],
      ]);
      if (answer.code !== 0) throw new Error(answer.stderr);
      return answer.stdout.trim();
    },
    connection: async (from, token) => new SidecarCalls(agent, await origin(from), token),
    call: async (from, token) => {
      const calls = new SidecarCalls(agent, await origin(from), token);
      try {
        return await calls.call('GET', `${AGENT_PATHS.trust}?version=0`);
      } finally {
        calls.close();
      }
    },
    verifies: (enclave) => alice.enclavectl(['status', enclave, '--verify', '--json']),
  };
}
