import { type Result, success } from '../../formats/bytes/result.ts';
import type { TpmTrust } from '../../formats/x509/bindings.ts';
import { ATTESTED_NODES, type CertifiedKey } from '../../platform/kube/attested-nodes.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import {
  BINDING_TYPE,
  ekSecret,
  type NodeBinding,
  nodeSecret,
  readBinding,
} from '../../platform/kube/node-binding.ts';
import { SECRETS } from '../../platform/kube/resources.ts';
import { type CertsCode, refuseCerts } from '../code.ts';

const MAX_KEYS = 8;

export interface NodeRegistry {
  /** Binds a node and a TPM for good, or finds that they are bound to each other. */
  bind(node: string, trust: TpmTrust): Promise<Result<void, CertsCode>>;
  /** Whether this TPM is still the node's: an operator may have released them. */
  isBound(node: string, ekSha256: string): Promise<boolean>;
  /** Notes in `status` which attestation key was certified; those whose certificates are over go. */
  record(node: string, key: CertifiedKey): Promise<void>;
}

/**
 * One TPM is one node, and one node is one TPM. Two Secrets hold it, one named after either: the API server lets a name exist only once, so
 * neither needs a lock or a list. They outlive the AttestedNode, which shows the binding to people and is written once.
 */
export function createNodeRegistry(
  kube: Kube,
  releaseNamespace: string,
  /** Milliseconds since 1970. */
  now: () => number,
): NodeRegistry {
  const read = (name: string) => readBinding(kube, releaseNamespace, name);
  /** What stands under the name afterwards: ours, or what was there before. */
  const claim = async (name: string, binding: NodeBinding): Promise<NodeBinding> => {
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
      const byEk = await read(ekSecret(trust.ekSha256));
      if (byEk !== undefined && byEk.node !== node) return ekElsewhere(trust.ekSha256, byEk.node);
      const ofNode = await claim(nodeSecret(node), binding);
      if (ofNode.ekSha256 !== trust.ekSha256)
        return refuseCerts(
          'node-has-another-ek',
          `node ${node} enrolled with TPM ${ofNode.ekSha256}, now ${trust.ekSha256} asks`,
          `if the TPM was replaced or cleared, an operator releases the node: enclavectl admin nodes release ${node}`,
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
      const before = (found?.status?.attestationKeys ?? []).filter(
        ({ spkiSha256, notAfter }) => spkiSha256 !== key.spkiSha256 && Date.parse(notAfter) > now(),
      );
      const attestationKeys = [...before, key].slice(-MAX_KEYS);
      await kube.patch(ATTESTED_NODES, { name: node }, { status: { attestationKeys } }, 'merge', 'status');
    },
  };
}

function ekElsewhere(ekSha256: string, node: string) {
  return refuseCerts(
    'ek-of-another-node',
    `TPM ${ekSha256} is node ${node}'s`,
    `if the machine was renamed, an operator releases the old name: enclavectl admin nodes release ${node}`,
  );
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

async function show(kube: Kube, node: string, trust: TpmTrust): Promise<void> {
  const spec = { node, ekSha256: trust.ekSha256, tpmTrust: trust.how };
  try {
    await kube.create(ATTESTED_NODES, { metadata: { name: node }, spec });
  } catch (error) {
    if (!isKubeError(error, 'AlreadyExists')) throw error;
  }
}
