import { type Clock, systemClock } from './clock.ts';

/** Both clocks round, and a process may be held up between reading one and the other: so much is no jump. Counted each time, it would add up. */
const NOISE_MS = 20;

/**
 * Milliseconds that have passed, for time limits: never goes back when the machine's clock is set, and counts the time that the machine slept, which a timer does not.
 * A clock that is set forward counts too: a limit may end too soon, and never later than by 20 ms.
 * @param wall the machine's clock
 * @param timer counts evenly, but not while the machine sleeps
 */
export function elapsedClock(
  wall: Clock = systemClock,
  timer: () => number = () => performance.now(),
): Clock {
  let ahead = wall.now() - timer();
  /** Of what is told over the timer: where the wall clock began, and all its jumps forward. */
  let offset = ahead;
  return {
    now: () => {
      const passed = timer();
      const jump = wall.now() - passed - ahead;
      if (Math.abs(jump) >= NOISE_MS) {
        ahead += jump;
        offset += Math.max(0, jump);
      }
      return passed + offset;
    },
  };
}
