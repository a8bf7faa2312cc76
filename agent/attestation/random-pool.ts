import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 16_384;

/**
 * Random bytes, drawn from the system in large pieces: a call for each blinder costs more than its leaf's hash. No byte is given
 * out twice, and none stays behind.
 */
export function createRandomPool(): (bytes: number) => Uint8Array {
  const pool = new Uint8Array(POOL_BYTES);
  let next = POOL_BYTES;
  return (bytes) => {
    if (bytes > POOL_BYTES) return randomFillSync(new Uint8Array(bytes));
    if (next + bytes > POOL_BYTES) {
      randomFillSync(pool);
      next = 0;
    }
    const taken = pool.slice(next, next + bytes);
    pool.fill(0, next, next + bytes);
    next += bytes;
    return taken;
  };
}
