import { equal, toHex } from '../../formats/bytes/bytes.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import { leafHash, pathLength, qualifyingData, rootFromPath } from '../../formats/evidence/batch.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import { fails, holds, type Outcome } from '../check-log.ts';

/** The batch's root, recomputed from statement, blinder, index, count and path. */
export function checkBatchProof(bundle: Bundle, crypto: Crypto): Outcome<Uint8Array> {
  const { statement, blinder, leafIndex, leafCount, path } = bundle;
  const { length } = path;
  const expected = () =>
    leafIndex < leafCount
      ? `a path of ${pathLength(leafIndex, leafCount)} hashes`
      : `an index below ${leafCount}`;
  const actual = () => `leaf ${leafIndex} of ${leafCount}, ${length} hashes`;
  const root = rootFromPath(crypto, leafHash(crypto, statement, blinder), leafIndex, leafCount, path);
  return root ? holds(root, expected, actual) : fails('batch-proof', expected(), actual());
}

/** extraData of the quote is the batch's qualifying data, in full length. */
export function checkQualifyingData(
  bundle: Bundle,
  root: Uint8Array,
  extraData: Uint8Array,
  crypto: Crypto,
): Outcome<undefined> {
  const expected = qualifyingData(crypto, bundle.leafCount, root);
  return equal(expected, extraData)
    ? holds(undefined, extraData)
    : fails('qualifying-data-differs', toHex(expected), toHex(extraData) || 'none');
}
