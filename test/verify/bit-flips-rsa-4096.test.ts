import { expect, test } from 'vitest';
import { allOfKind, keyKind } from '../support/tables/key-kinds.ts';
import { tryBitFlips } from '../support/try-bit-flips.ts';

// The numbers are asserted, so that no member of a bundle drops out unseen; every byte of a format that grows adds eight.
test.each([
  ['rsa-4096-rsassa-sha256', 43_360],
  ['rsa-4096-rsapss-sha384', 45_152],
])('%s: each of %i bit flips is refused', { timeout: 300_000 }, (kind, flips) => {
  expect(tryBitFlips(allOfKind(keyKind(kind)))).toBe(flips);
});
