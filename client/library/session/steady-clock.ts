import type { Clock } from '../../../platform/run/clock.ts';

/**
 * Milliseconds that have passed, for time limits: never goes back when the machine's clock is set, and counts the time that the machine slept, which a timer does not.
 * @param wall the machine's clock
 * @param timer counts evenly, but not while the machine sleeps
 */
export function steadyClock(
  wall: () => number = () => Date.now(),
  timer: () => number = () => performance.now(),
): Clock {
  let last = { wall: wall(), timer: timer() };
  let now = last.wall;
  return {
    now: () => {
      const next = { wall: wall(), timer: timer() };
      now += Math.max(0, next.wall - last.wall, next.timer - last.timer);
      last = next;
      return now;
    },
  };
}
