import { type Clock, systemClock } from './clock.ts';

/**
 * Milliseconds that have passed, for time limits: never goes back when the machine's clock is set, and counts the time that the machine slept, which a timer does not.
 * A clock that is set forward counts too: a limit may end too soon, never too late.
 * @param wall the machine's clock
 * @param timer counts evenly, but not while the machine sleeps
 */
export function elapsedClock(
  wall: Clock = systemClock,
  timer: () => number = () => performance.now(),
): Clock {
  let last = { wall: wall.now(), timer: timer() };
  let now = last.wall;
  return {
    now: () => {
      const next = { wall: wall.now(), timer: timer() };
      now += Math.max(0, next.wall - last.wall, next.timer - last.timer);
      last = next;
      return now;
    },
  };
}
