import { join } from 'node:path';
import { readIfThere } from '../../platform/files/read-if-there.ts';
import { writeFileAtomic } from '../../platform/files/write-file-atomic.ts';
import type { TpmSeen } from '../../verify/verdict.ts';

/** Reset counts of nodes' TPMs, so that one never goes back, and so that a TPM which lost power is believed again after its reset. */
export interface SeenTpms {
  list(): readonly TpmSeen[];
  remember(tpm: TpmSeen): void;
  /** The node enrolled with this endorsement key: what was seen of another, and of this one in another node, is past. */
  enrolled(node: string, ekSha256: string): void;
}

const FILE = 'seen-tpms.json';

/** Opens the file beside the keys. It is written when a node is new or was reset, not for each quote. */
export function openSeenTpms(folder: string): SeenTpms {
  const path = join(folder, FILE);
  const seen = new Map(load(path).map((tpm) => [tpm.node, tpm]));
  const save = (): void => writeFileAtomic(path, `${JSON.stringify([...seen.values()])}\n`, 0o600);
  return {
    list: () => [...seen.values()],
    remember: (tpm) => {
      const before = seen.get(tpm.node);
      if (before?.ekSha256 === tpm.ekSha256 && before.resetCount >= tpm.resetCount) return;
      // Requests arrive in another order than their quotes were made, so within one reset nothing is compared: the epoch bounds their age.
      seen.set(tpm.node, { ...tpm, restartCount: 0, clock: 0 });
      save();
    },
    enrolled: (node, ekSha256) => {
      const past = [...seen.values()].filter((tpm) => (tpm.node === node) !== (tpm.ekSha256 === ekSha256));
      for (const each of past) seen.delete(each.node);
      if (past.length > 0) save();
    },
  };
}

function load(path: string): TpmSeen[] {
  try {
    const text = readIfThere(path)?.toString('utf8');
    return text === undefined ? [] : (JSON.parse(text) as TpmSeen[]);
  } catch {
    throw new Error(`${path} cannot be read: restore it, or delete it to begin anew`);
  }
}
