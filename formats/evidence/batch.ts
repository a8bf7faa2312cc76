import { concat, toUtf8 } from '../bytes/bytes.ts';
import { Writer } from '../bytes/writer.ts';
import type { Crypto } from '../crypto/crypto.ts';

/** Statements that one quote can cover; a path has at most 16 hashes. */
export const MAX_BATCH_LEAVES = 65_536;
export const BLINDER_BYTES = 32;
const LEAF_LABEL = concat(Uint8Array.of(0x00), toUtf8('enclave-leaf/1'));
const BATCH_LABEL = toUtf8('enclave-batch/1');

const NODE_LABEL = Uint8Array.of(0x01);
/** Inputs of hashes, built in one place in memory: a batch hashes up to 131,072 of them. */
const input = new Writer();

/**
 * `SHA-256(0x00 || "enclave-leaf/1" || len32(statement) || statement || blinder[32])`. The blinder keeps a neighbour
 * in the batch from guessing a statement from its hash.
 */
export function leafHash(crypto: Crypto, statement: Uint8Array, blinder: Uint8Array): Uint8Array {
  return crypto.hash('sha256', input.reset().bytes(LEAF_LABEL).sized32(statement).bytes(blinder).view());
}

function nodeHash(crypto: Crypto, left: Uint8Array, right: Uint8Array): Uint8Array {
  return crypto.hash('sha256', input.reset().bytes(NODE_LABEL).bytes(left).bytes(right).view());
}

/** A batch's root and the path of each leaf, from leaf to root. */
export interface BatchTree {
  readonly root: Uint8Array;
  pathOf(index: number): Uint8Array[];
}

/** Hashes between two places where `growBatchTree` can be interrupted. */
const STEP = 64;

/**
 * The tree over a batch's leaf hashes, every level computed once, in short steps: a large one takes a tenth of a second. Pairs are
 * hashed, an odd last node is promoted as it is (RFC 9162, 2.1.1), never duplicated.
 * @throws RangeError unless there are 1 to 65,536 leaves
 */
export function* growBatchTree(crypto: Crypto, leaves: readonly Uint8Array[]): Generator<void, BatchTree> {
  if (leaves.length < 1 || leaves.length > MAX_BATCH_LEAVES)
    throw new RangeError(`a batch of ${leaves.length}`);
  const levels: (readonly Uint8Array[])[] = [leaves];
  for (let level = leaves; level.length > 1; ) {
    const above: Uint8Array[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const [left, right] = [level[i], level[i + 1]];
      if (left) above.push(right ? nodeHash(crypto, left, right) : left);
      if (above.length % STEP === 0) yield;
    }
    levels.push(above);
    level = above;
  }
  const [root] = levels.at(-1) ?? [];
  if (!root) throw new RangeError('a batch without root');
  const pathOf = (index: number): Uint8Array[] =>
    levels.flatMap((level, height) => level[Math.floor(index / 2 ** height) ^ 1] ?? []);
  return { root, pathOf };
}

/** `growBatchTree` in one go. */
export function batchTree(crypto: Crypto, leaves: readonly Uint8Array[]): BatchTree {
  const steps = growBatchTree(crypto, leaves);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** How many hashes the path of leaf `index` of `count` has: recomputed, never taken from the prover. */
export function pathLength(index: number, count: number): number {
  let length = 0;
  for (let at = index, last = count - 1; last > 0; at >>= 1, last >>= 1) if ((at ^ 1) <= last) length++;
  return length;
}

/** The root that a leaf and its path lead to; undefined when index, count and path length do not fit (RFC 9162, 2.1.3.2). */
export function rootFromPath(
  crypto: Crypto,
  leaf: Uint8Array,
  index: number,
  count: number,
  path: readonly Uint8Array[],
): Uint8Array | undefined {
  if (!Number.isInteger(index) || !Number.isInteger(count) || index < 0 || index >= count) return undefined;
  if (count > MAX_BATCH_LEAVES || path.length !== pathLength(index, count)) return undefined;
  let hash = leaf;
  let used = 0;
  for (let at = index, last = count - 1; last > 0; at >>= 1, last >>= 1) {
    if ((at ^ 1) > last) continue;
    const sibling = path[used++];
    if (sibling?.length !== 32) return undefined;
    hash = at & 1 ? nodeHash(crypto, sibling, hash) : nodeHash(crypto, hash, sibling);
  }
  return hash;
}

/** What the TPM signs as extraData: `SHA-256("enclave-batch/1" || uint32(n) || root)`, for n = 1 as for any other. */
export function qualifyingData(crypto: Crypto, count: number, root: Uint8Array): Uint8Array {
  return crypto.hash('sha256', input.reset().bytes(BATCH_LABEL).u32(count).bytes(root).view());
}
