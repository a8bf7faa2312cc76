import { ATTESTED_NODES, type BootState } from '../../platform/kube/attested-nodes.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import type { TpmSeen } from '../../verify/verdict.ts';

/** Reset counts of nodes' TPMs, so that one never goes back, and so that a TPM which lost power is believed again after its reset. */
export interface SeenTpms {
  list(): readonly TpmSeen[];
  /** Resolves when it is kept; nothing is written for a TPM that was not reset. */
  remember(tpm: TpmSeen): Promise<void>;
  /** The node enrolled with this endorsement key: what was seen of another, and of this one in another node, is past. */
  enrolled(node: string, ekSha256: string): Promise<void>;
}

/** Opens what stands in the nodes' `status`. It is written when a node is new or was reset, not for each quote. */
export async function openSeenTpms(kube: Kube): Promise<SeenTpms> {
  const { items } = await kube.list(ATTESTED_NODES);
  const seen = new Map<string, TpmSeen>();
  for (const { metadata, status } of items) {
    const node = metadata?.name;
    if (node !== undefined && status?.boot !== undefined) seen.set(node, atReset({ node, ...status.boot }));
  }
  const keep = async (node: string, boot: BootState | null): Promise<void> => {
    try {
      await kube.patch(ATTESTED_NODES, { name: node }, { status: { boot } }, 'merge', 'status');
    } catch (error) {
      // Somebody deleted the object and left the binding: it comes back when the node enrols.
      if (!isKubeError(error, 'NotFound')) throw error;
    }
  };
  return {
    list: () => [...seen.values()],
    remember: async (tpm) => {
      const before = seen.get(tpm.node);
      if (before?.ekSha256 === tpm.ekSha256 && before.resetCount >= tpm.resetCount) return;
      const { node, ekSha256, resetCount } = tpm;
      await keep(node, { ekSha256, resetCount });
      seen.set(node, atReset(tpm));
    },
    enrolled: async (node, ekSha256) => {
      for (const tpm of [...seen.values()]) {
        if ((tpm.node === node) === (tpm.ekSha256 === ekSha256)) continue;
        await keep(tpm.node, null);
        seen.delete(tpm.node);
      }
    },
  };
}

/** Requests arrive in another order than their quotes were made, so within one reset nothing is compared: the epoch bounds their age. */
function atReset({ node, ekSha256, resetCount }: Pick<TpmSeen, 'node' | 'ekSha256' | 'resetCount'>): TpmSeen {
  return { node, ekSha256, resetCount, akName: '', restartCount: 0, clock: 0 };
}
