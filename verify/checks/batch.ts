import { concat, equal, toHex } from '../../formats/bytes/bytes.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import { leafHash, pathLength, qualifyingData, rootFromPath } from '../../formats/evidence/batch.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import { fails, holds, type Outcome } from '../check-log.ts';

/** The statement's place in a batch. */
export interface BatchProof {
  /** The hash of statement and blinder. */
  readonly leaf: Uint8Array;
  readonly root: Uint8Array;
}

/** The batch's root, recomputed from statement, blinder, index, count and path. */
export function checkBatchProof(bundle: Bundle, crypto: Crypto): Outcome<BatchProof> {
  const { statement, blinder, leafIndex, leafCount, path } = bundle;
  const expected =
    leafIndex < leafCount
      ? `a path of ${pathLength(leafIndex, leafCount)} hashes`
      : `an index below ${leafCount}`;
  // A copy: a seam may write its next hash into the same memory, and statements are remembered by their leaf.
  const leaf = concat(leafHash(crypto, statement, blinder));
  const root = rootFromPath(crypto, leaf, leafIndex, leafCount, path);
  return root
    ? holds({ leaf, root }, expected, `leaf ${leafIndex} of ${leafCount}, ${path.length} hashes`)
    : fails('batch-proof', expected, `leaf ${leafIndex} of ${leafCount}, ${path.length} hashes`);
}

/** extraData of the quote is the batch's qualifying data, in full length. */
export function checkQualifyingData(
  bundle: Bundle,
  { root }: BatchProof,
  extraData: Uint8Array,
  crypto: Crypto,
): Outcome<undefined> {
  const expected = qualifyingData(crypto, bundle.leafCount, root);
  return equal(expected, extraData)
    ? holds(undefined, toHex(expected))
    : fails('qualifying-data-differs', toHex(expected), toHex(extraData) || 'none');
}
