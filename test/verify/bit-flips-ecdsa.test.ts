import { expect, test } from 'vitest';
import { verify } from '../../verify/verify.ts';
import { VerifyCache } from '../../verify/verify-cache.ts';
import { underIntermediates } from '../support/chain-sides.ts';
import { fixture } from '../support/evidence.ts';
import { granted } from '../support/tables/forged-claims.ts';
import { allOfKind, keyKind } from '../support/tables/key-kinds.ts';
import { tryBitFlips } from '../support/try-bit-flips.ts';

// The numbers are asserted, so that no member of a bundle drops out unseen; every byte of a format that grows adds eight.
test.each([
  ['p256-sha256', 21_672],
  ['p384-sha384', 23_288],
])('%s: each of %i bit flips is refused', { timeout: 300_000 }, (kind, flips) => {
  expect(tryBitFlips(allOfKind(keyKind(kind)))).toBe(flips);
});

test('under intermediates: each of 27,504 bit flips is refused', { timeout: 300_000 }, () => {
  expect(tryBitFlips(underIntermediates())).toBe(27_504);
});

test('each bit flip of a grant and of its signature is refused', () => {
  const { bundle, policy, context } = fixture(granted());
  const judged = (grant: Uint8Array, signature: Uint8Array) =>
    verify(bundle, policy, { ...context, cache, grant: { grant, signature } }).ok;
  const cache = new VerifyCache();
  const { grant, signature } = context.grant ?? { grant: new Uint8Array(), signature: new Uint8Array() };
  expect(judged(grant, signature)).toBe(true);
  const flips = (bytes: Uint8Array) =>
    Array.from({ length: 8 * bytes.length }, (_, bit) =>
      bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))),
    );
  expect(flips(grant).filter((changed) => judged(changed, signature))).toEqual([]);
  expect(flips(signature).filter((changed) => judged(grant, changed))).toEqual([]);
});
