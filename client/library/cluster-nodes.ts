import { RETIRED_KEYS_ANNOTATION } from '../../names/labels.ts';
import { ATTESTED_NODES, type AttestedNode, type CertifiedKey } from '../../platform/kube/attested-nodes.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import {
  BINDING_TYPE,
  bindingOf,
  type NodeBinding,
  nodeSecret,
  readBinding,
  removeBinding,
} from '../../platform/kube/node-binding.ts';
import { SECRETS } from '../../platform/kube/resources.ts';
import { Failure, usage } from '../failure.ts';

/** A node as its operator sees it. */
export interface ClusterNode {
  readonly node: string;
  /** SHA-256 of the endorsement key's SPKI that the name is bound to; undefined when nothing binds it. */
  readonly boundEkSha256: string | undefined;
  /** The AttestedNode's; undefined when somebody deleted it. */
  readonly ekSha256: string | undefined;
  readonly tpmTrust: string | undefined;
  /** Newest last. */
  readonly attestationKeys: readonly CertifiedKey[];
  /** SHA-256 of the SPKIs of attestation keys that its agent is asked to replace. */
  readonly retired: readonly string[];
}

function clusterNode(
  node: string,
  object: AttestedNode | undefined,
  binding: NodeBinding | undefined,
): ClusterNode {
  return {
    node,
    boundEkSha256: binding?.ekSha256,
    ekSha256: object?.spec?.ekSha256,
    tpmTrust: object?.spec?.tpmTrust,
    attestationKeys: object?.status?.attestationKeys ?? [],
    retired: object?.metadata?.annotations?.[RETIRED_KEYS_ANNOTATION]?.split(',') ?? [],
  };
}

/** Every node that enrolled, by name, those included whose AttestedNode was deleted. @throws KubeError */
export async function listNodes(kube: Kube, namespace: string): Promise<readonly ClusterNode[]> {
  const { items } = await kube.list(ATTESTED_NODES);
  const secrets = await kube.list(SECRETS, { namespace, fieldSelector: `type=${BINDING_TYPE}` });
  const bindings = secrets.items
    .map((secret) => ({ name: secret.metadata?.name, binding: bindingOf(secret) }))
    .filter(({ name, binding }) => name === nodeSecret(binding.node))
    .map(({ binding }) => binding);
  const names = new Set([...items.map(nameOf), ...bindings.map(({ node }) => node)]);
  return [...names].sort().map((name) =>
    clusterNode(
      name,
      items.find((each) => nameOf(each) === name),
      bindings.find(({ node }) => node === name),
    ),
  );
}

function nameOf(object: AttestedNode): string {
  return object.metadata?.name ?? '';
}

/** @throws Failure when no node of this name enrolled; KubeError */
export async function readNode(kube: Kube, namespace: string, node: string): Promise<ClusterNode> {
  const object = await kube.get(ATTESTED_NODES, { name: node });
  const binding = await readBinding(kube, namespace, nodeSecret(node));
  if (object === undefined && binding === undefined)
    throw usage('node-unknown', `no node ${node} has enrolled`, 'enclavectl admin nodes ls shows them');
  return clusterNode(node, object, binding);
}

/**
 * Lets another TPM enrol under the node's name: removes what binds them and the AttestedNode. Certificates that are out stay good until they end.
 * @throws KubeError
 */
export async function releaseNode(kube: Kube, namespace: string, known: ClusterNode): Promise<void> {
  const eks = [known.boundEkSha256, known.ekSha256].filter((each) => each !== undefined);
  // The object first: the next TPM must find none that shows this one. Interrupted here, the binding holds, and release goes on from it.
  await kube.delete(ATTESTED_NODES, { name: known.node });
  await removeBinding(kube, namespace, known.node, [...new Set(eks)]);
}

/**
 * Asks the node's agent for another attestation key in place of all that are certified: which of them is in service, only the agent knows.
 * @returns SHA-256 of the SPKIs of these keys
 * @throws Failure when none is certified; KubeError
 */
export async function rotateNode(kube: Kube, known: ClusterNode): Promise<readonly string[]> {
  const keys = known.attestationKeys.map(({ spkiSha256 }) => spkiSha256);
  if (keys.length === 0)
    throw new Failure(
      'not-allowed',
      'node-without-key',
      `${known.node} has no certified attestation key`,
      'its agent enrols by itself when it runs: look at its log',
    );
  const annotations = { [RETIRED_KEYS_ANNOTATION]: keys.join(',') };
  await kube.patch(ATTESTED_NODES, { name: known.node }, { metadata: { annotations } });
  return keys;
}
