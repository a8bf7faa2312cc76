import type { Clock } from '../../platform/run/clock.ts';

/** As platform/run's `sleep`: true when the time has passed, false when the signal aborted. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<boolean>;

/** Clocks are set, and machines sleep: the time left is counted anew this often. */
const LOOK_MS = 15_000;

/** Resolves when the clock has reached `at` (milliseconds): true; or false as soon as the signal aborts. Never rejects. */
export async function waitUntil(
  clock: Clock,
  at: number,
  sleep: Sleep,
  signal: AbortSignal,
): Promise<boolean> {
  for (;;) {
    if (signal.aborted) return false;
    const left = at - clock.now();
    if (left <= 0) return true;
    await sleep(Math.ceil(Math.min(left, LOOK_MS)), signal);
  }
}
