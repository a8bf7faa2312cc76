import type { Bundle } from '../../formats/evidence/bundle.ts';

/** A bundle with one bit changed, and the member where. */
export interface BitFlip {
  readonly member: string;
  readonly bit: number;
  readonly bundle: Bundle;
}

function* ofBytes(member: string, bytes: Uint8Array, put: (bytes: Uint8Array) => Bundle): Generator<BitFlip> {
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const changed = bytes.slice();
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    yield { member, bit, bundle: put(changed) };
  }
}

function* ofList(
  member: 'path' | 'certificateChain' | 'attestationKeyCertificateChain',
  bundle: Bundle,
): Generator<BitFlip> {
  for (const [i, bytes] of bundle[member].entries())
    yield* ofBytes(member, bytes, (changed) => ({ ...bundle, [member]: bundle[member].with(i, changed) }));
}

function* ofNumber(member: string, value: number, put: (value: number) => Bundle): Generator<BitFlip> {
  for (let bit = 0; bit < 32; bit++)
    yield { member, bit, bundle: put((value ^ (bit === 31 ? -(2 ** 31) : 1 << bit)) >>> 0) };
}

function* ofPcrValues(bundle: Bundle): Generator<BitFlip> {
  const { pcrValues } = bundle;
  if (!pcrValues) return;
  const { hashAlgorithm, values } = pcrValues;
  yield* ofNumber('pcrValues.hashAlgorithm', hashAlgorithm, (changed) => ({
    ...bundle,
    pcrValues: { ...pcrValues, hashAlgorithm: changed },
  }));
  for (const [i, value] of values.entries()) {
    const put = (changed: typeof value): Bundle => ({
      ...bundle,
      pcrValues: { ...pcrValues, values: values.with(i, changed) },
    });
    yield* ofNumber('pcrValues.index', value.index, (index) => put({ ...value, index }));
    yield* ofBytes('pcrValues.digest', value.digest, (digest) => put({ ...value, digest }));
  }
}

/**
 * Every single-bit change of everything in a bundle that is signed or hashed, or that says how: all but endpoint,
 * server name and event log.
 */
export function* bitFlips(bundle: Bundle): Generator<BitFlip> {
  for (const member of ['attest', 'signature', 'attestationKeyPublic', 'statement', 'blinder'] as const)
    yield* ofBytes(member, bundle[member], (changed) => ({ ...bundle, [member]: changed }));
  yield* ofList('path', bundle);
  yield* ofNumber('leafIndex', bundle.leafIndex, (leafIndex) => ({ ...bundle, leafIndex }));
  yield* ofNumber('leafCount', bundle.leafCount, (leafCount) => ({ ...bundle, leafCount }));
  yield* ofPcrValues(bundle);
  yield* ofList('certificateChain', bundle);
  yield* ofList('attestationKeyCertificateChain', bundle);
}
