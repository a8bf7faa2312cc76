import type { Clock } from '../../platform/run/clock.ts';

/**
 * The wall clock, but never slower than time itself since this was made: a clock that is set back must not make a certificate last longer. One that
 * is set forward is believed at once.
 * @param elapsed monotonic milliseconds, of any origin
 */
export function steadyClock(clock: Clock, elapsed: () => number): Clock {
  const origin = clock.now() - elapsed();
  return { now: () => Math.max(clock.now(), origin + elapsed()) };
}
