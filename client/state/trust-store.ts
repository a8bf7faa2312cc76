import { join } from 'node:path';
import type { Result } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { EvidenceCode } from '../../formats/evidence/evidence-code.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import type { SignedTrustDocument, TrustDocument } from '../../formats/evidence/trust-document.ts';
import { readIfThere } from '../../platform/files/read-if-there.ts';
import type { TpmSeen } from '../../verify/verdict.ts';
import { usage } from '../failure.ts';
import {
  type DocumentChain,
  extendDocumentChain,
  formatDocumentChain,
  parseDocumentChain,
} from './document-chain.ts';
import {
  isSameRefusal,
  NO_NODES,
  type NodeMemory,
  parseNodeMemory,
  type RefusedTpm,
  type Sight,
  withAccepted,
  withRefused,
  withSeen,
} from './node-memory.ts';
import { writePrivate } from './private-file.ts';
import { withLock } from './with-lock.ts';

/** Progress of a TPM's clock, in milliseconds, that alone is not worth writing a file. */
const UNWRITTEN_MS = 1_000;

/**
 * What was seen and is held against the next time: the trust documents of a set of roots, and nodes' TPMs. Files are replaced whole, under a lock; one that is
 * damaged refuses, and is never taken for one that says nothing.
 */
export class TrustStore {
  readonly folder: string;

  /** @param rootsSha256 the pinned roots: what was learned under others is not mixed in */
  constructor(stateFolder: string, rootsSha256: string) {
    this.folder = join(stateFolder, 'trust', rootsSha256.slice(0, 32));
  }

  /** The newest document that was accepted, checked again from the pinned roots on. @throws Failure when the file is damaged */
  document(crypto: Crypto, pinned: Roots): TrustDocument | undefined {
    return this.#chain(crypto, pinned).at(-1)?.document;
  }

  /** Takes a document over when a `system` root already held signed it and it is newer; else says why not. */
  offer(
    crypto: Crypto,
    pinned: Roots,
    signed: SignedTrustDocument,
  ): Promise<Result<TrustDocument, EvidenceCode>> {
    return withLock(this.folder, () => {
      const chain = extendDocumentChain(this.#chain(crypto, pinned), signed, crypto, pinned);
      const newest = chain.ok ? chain.value.at(-1) : undefined;
      if (!chain.ok) return chain;
      writePrivate(this.#documentsPath, formatDocumentChain(chain.value));
      if (newest === undefined) throw new Error('a chain that was extended is empty');
      return { ok: true, value: newest.document };
    });
  }

  /** @throws Failure when the file is damaged */
  nodes(): NodeMemory {
    const content = readIfThere(this.#nodesPath);
    if (content === undefined) return NO_NODES;
    const parsed = parseNodeMemory(content);
    if (!parsed.ok) throw this.#damaged(this.#nodesPath, parsed.message);
    return parsed.value;
  }

  /** Of a good verdict. @returns what was new about it, once however many processes saw it */
  async remember(tpm: TpmSeen, now: number): Promise<readonly Sight[]> {
    const known = this.nodes();
    const after = withSeen(known, tpm, now);
    if (after.sights.length === 0 && !worthWriting(known, after.memory)) return [];
    return this.#change((memory) => {
      const { memory: next, sights } = withSeen(memory, tpm, now);
      return [next, sights];
    });
  }

  /** Of evidence that was refused for what was seen before, and for nothing else. */
  refuse(refused: RefusedTpm): Promise<void> {
    return this.#change((memory) => [withRefused(memory, refused), undefined]);
  }

  /** What was refused of a node counts from now on, unless something else was refused of it meanwhile: false then. */
  accept(refused: RefusedTpm, now: number): Promise<boolean> {
    return this.#change((memory) => {
      const same = memory.refused.some((each) => isSameRefusal(refused, each));
      return [same ? withAccepted(memory, refused, now) : memory, same];
    });
  }

  /** Takes over what was seen under other roots of the same server: a new CA is no reason to forget the machines. */
  async takeOver(other: TrustStore): Promise<void> {
    const theirs = other.nodes();
    await this.#change((memory) => [
      theirs.nodes.reduce((merged, { seenAt, akNames, ...state }) => {
        const one = (known: NodeMemory, akName: string) =>
          withSeen(known, { ...state, akName }, seenAt).memory;
        return akNames.reduce(one, merged);
      }, memory),
      undefined,
    ]);
  }

  #change<T>(change: (memory: NodeMemory) => [NodeMemory, T]): Promise<T> {
    return withLock(this.folder, () => {
      const before = this.nodes();
      const [after, result] = change(before);
      if (after !== before) writePrivate(this.#nodesPath, `${JSON.stringify(after, null, 2)}\n`);
      return result;
    });
  }

  #chain(crypto: Crypto, pinned: Roots): DocumentChain {
    const content = readIfThere(this.#documentsPath);
    if (content === undefined) return [];
    const chain = parseDocumentChain(content, crypto, pinned);
    if (!chain.ok) throw this.#damaged(this.#documentsPath, chain.message);
    return chain.value;
  }

  get #documentsPath(): string {
    return join(this.folder, 'trust-documents.json');
  }

  get #nodesPath(): string {
    return join(this.folder, 'nodes.json');
  }

  #damaged(path: string, reason: string) {
    return usage(
      'state-damaged',
      `${path} is damaged: ${reason}`,
      'bring it back from a backup; or remove it, and what was seen before is forgotten: compare what enclavectl then calls new with what the operator says',
    );
  }
}

function worthWriting(before: NodeMemory, after: NodeMemory): boolean {
  return after.nodes.some((now, index) => {
    const then = before.nodes[index];
    return (
      now !== then &&
      (now.resetCount !== then?.resetCount ||
        now.restartCount !== then.restartCount ||
        now.clock - then.clock >= UNWRITTEN_MS ||
        before.refused.length !== after.refused.length)
    );
  });
}
