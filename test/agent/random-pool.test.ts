import { expect, test } from 'vitest';
import { createRandomPool } from '../../agent/attestation/random-pool.ts';

test('no bytes come twice, across the pool’s end and for more than it holds', () => {
  const random = createRandomPool();
  const sizes = [...Array(2000).fill(32), 7, 16_384, 16_385, 20_000, 32];
  const taken = sizes.map((size) => random(size));
  expect(taken.map((each) => each.length)).toEqual(sizes);
  const pieces = taken.flatMap((each) =>
    Array.from({ length: Math.floor(each.length / 16) }, (_, i) =>
      Buffer.from(each.subarray(16 * i, 16 * i + 16)).toString('hex'),
    ),
  );
  expect(new Set(pieces).size).toBe(pieces.length);
});
