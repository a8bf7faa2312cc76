import { createHash } from 'node:crypto';
import { type Result, success } from '../../formats/bytes/result.ts';
import type { TpmTrust } from '../../formats/x509/bindings.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { customResource, SECRETS } from '../../platform/kube/resources.ts';
import type { KubeObject } from '../../platform/kube/wire.ts';
import { type CertsCode, refuseCerts } from '../code.ts';

export interface CertifiedKey {
  /** SHA-256 of the attestation key's SPKI, lower-case hex. */
  readonly spkiSha256: string;
  readonly serial: string;
  /** RFC 3339. */
  readonly notAfter: string;
}

export interface AttestedNode extends KubeObject {
  spec?: { node: string; ekSha256: string; tpmTrust: TpmTrust['how'] };
  status?: { attestationKeys?: CertifiedKey[] };
}

export const ATTESTED_NODES = customResource<AttestedNode>(
  'enclave-licensing.dev/v1alpha1',
  'AttestedNode',
  'attestednodes',
  false,
);

const MAX_KEYS = 8;
const BINDING_TYPE = 'enclave-licensing.dev/node-binding';

export interface NodeRegistry {
  /** Binds a node and a TPM for good, or finds that they are bound to each other. */
  bind(node: string, trust: TpmTrust): Promise<Result<void, CertsCode>>;
  /** Whether this TPM is still the node's: an operator may have released them. */
  isBound(node: string, ekSha256: string): Promise<boolean>;
  /** Notes in `status` which attestation key was certified. */
  record(node: string, key: CertifiedKey): Promise<void>;
}

/**
 * One TPM is one node, and one node is one TPM. Two Secrets hold it, one named after either: the API server lets a name exist only once, so
 * neither needs a lock or a list. They outlive the AttestedNode, which shows the binding to people and is written once.
 */
export function createNodeRegistry(kube: Kube, releaseNamespace: string): NodeRegistry {
  const read = async (name: string): Promise<Binding | undefined> => {
    const secret = await kube.get(SECRETS, { name, namespace: releaseNamespace });
    if (secret === undefined) return undefined;
    const field = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
    return { node: field('node'), ekSha256: field('ekSha256') };
  };
  /** What stands under the name afterwards: ours, or what was there before. */
  const claim = async (name: string, binding: Binding): Promise<Binding> => {
    try {
      await kube.create(SECRETS, {
        metadata: { name, namespace: releaseNamespace },
        type: BINDING_TYPE,
        immutable: true,
        data: { node: base64(binding.node), ekSha256: base64(binding.ekSha256) },
      });
      return binding;
    } catch (error) {
      if (!isKubeError(error, 'AlreadyExists')) throw error;
      const there = await read(name);
      if (there === undefined) throw new Error(`${name} was there and is gone: try again`);
      return there;
    }
  };
  return {
    bind: async (node, trust) => {
      const binding = { node, ekSha256: trust.ekSha256 };
      const byEk = (await read(ekSecret(trust.ekSha256))) ?? undefined;
      if (byEk !== undefined && byEk.node !== node) return ekElsewhere(trust.ekSha256, byEk.node);
      const ofNode = await claim(nodeSecret(node), binding);
      if (ofNode.ekSha256 !== trust.ekSha256)
        return refuseCerts(
          'node-has-another-ek',
          `node ${node} enrolled with TPM ${ofNode.ekSha256}, now ${trust.ekSha256} asks`,
          'if the TPM was replaced, release the node first',
        );
      const ofEk = await claim(ekSecret(trust.ekSha256), binding);
      if (ofEk.node !== node) return ekElsewhere(trust.ekSha256, ofEk.node);
      await show(kube, node, trust);
      return success(undefined);
    },
    isBound: async (node, ekSha256) => {
      const binding = await read(nodeSecret(node));
      return binding?.node === node && binding.ekSha256 === ekSha256;
    },
    record: async (node, key) => {
      const found = await kube.get(ATTESTED_NODES, { name: node });
      const before = found?.status?.attestationKeys ?? [];
      const attestationKeys = [...before.filter((each) => each.spkiSha256 !== key.spkiSha256), key].slice(
        -MAX_KEYS,
      );
      await kube.patch(ATTESTED_NODES, { name: node }, { status: { attestationKeys } }, 'merge', 'status');
    },
  };
}

interface Binding {
  readonly node: string;
  readonly ekSha256: string;
}

function ekElsewhere(ekSha256: string, node: string) {
  return refuseCerts(
    'ek-of-another-node',
    `TPM ${ekSha256} is node ${node}'s`,
    'if the machine was renamed, release the old node first',
  );
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** A node's name may be longer than what a Secret's name has left for it. */
function nodeSecret(node: string): string {
  return `node-${createHash('sha256').update(node).digest('hex').slice(0, 40)}`;
}

function ekSecret(ekSha256: string): string {
  return `ek-${ekSha256}`;
}

async function show(kube: Kube, node: string, trust: TpmTrust): Promise<void> {
  const spec = { node, ekSha256: trust.ekSha256, tpmTrust: trust.how };
  try {
    await kube.create(ATTESTED_NODES, { metadata: { name: node }, spec });
  } catch (error) {
    if (!isKubeError(error, 'AlreadyExists')) throw error;
  }
}
