import { randomInt } from 'node:crypto';
import { sleep } from './sleep.ts';

export interface Backoff {
  /** Waits longer each time, up to the maximum, with jitter; false when the signal aborted. */
  wait(signal?: AbortSignal): Promise<boolean>;
  reset(): void;
}

/** Exponential backoff with full jitter in the upper half, in milliseconds. */
export function createBackoff(firstMs = 200, maximumMs = 30_000): Backoff {
  let next = firstMs;
  return {
    wait: (signal) => {
      const half = Math.max(1, Math.floor(next / 2));
      const ms = half + randomInt(half);
      next = Math.min(next * 2, maximumMs);
      return sleep(ms, signal);
    },
    reset: () => {
      next = firstMs;
    },
  };
}
