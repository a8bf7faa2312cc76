/** Milliseconds since the epoch. Passed in, so that tests own time. */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** Whole seconds since the epoch, as certificates and tokens count. */
export function unixSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000);
}
