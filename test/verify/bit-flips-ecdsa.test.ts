import { expect, test } from 'vitest';
import { allOfKind, keyKind } from '../support/tables/key-kinds.ts';
import { tryBitFlips } from '../support/try-bit-flips.ts';

// The numbers are asserted, so that no member of a bundle drops out unseen; every byte of a format that grows adds eight.
test.each([
  ['p256-sha256', 21_672],
  ['p384-sha384', 23_288],
])('%s: each of %i bit flips is refused', { timeout: 300_000 }, (kind, flips) => {
  expect(tryBitFlips(allOfKind(keyKind(kind)))).toBe(flips);
});
