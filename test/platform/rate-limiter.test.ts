import { expect, test } from 'vitest';
import { RateLimiter } from '../../platform/limits/rate-limiter.ts';

test('a burst, then a steady rate, each key for itself', () => {
  const limiter = new RateLimiter({ perMinute: 6, burst: 2 });
  expect([0, 0, 10_000]).toEqual([1, 2, 3].map(() => limiter.take('ada', 0)));
  expect(limiter.take('bob', 0)).toBe(0);
  expect(limiter.take('ada', 9_999)).toBe(1);
  expect(limiter.take('ada', 10_000)).toBe(0);
  limiter.giveBack('ada', 10_000);
  expect(limiter.take('ada', 10_000)).toBe(0);
  expect(limiter.take('ada', 3_600_000)).toBe(0);
  expect(limiter.take('ada', 3_600_000)).toBe(0);
  expect(limiter.take('ada', 3_600_000)).toBeGreaterThan(0);
});

test('made-up keys push out the oldest, not the one in use', () => {
  const limiter = new RateLimiter({ perMinute: 1, burst: 1 }, 3);
  limiter.take('ada', 0);
  for (const key of ['x1', 'x2', 'x3', 'x4']) {
    expect(limiter.take('ada', 1)).toBeGreaterThan(0);
    limiter.take(key, 1);
  }
});

test('what is counted afterwards may overdraw a bucket, and is waited out', () => {
  const bytes = new RateLimiter({ perMinute: 60, burst: 10 });
  expect(bytes.wait('peer', 0)).toBe(0);
  for (const amount of [15, 15]) bytes.spend('peer', amount, 0);
  expect(bytes.wait('peer', 0)).toBe(21_000);
  expect(bytes.wait('other', 0)).toBe(0);
  expect(bytes.wait('peer', 21_000)).toBe(0);
});
