/** The nonce of the moment and the one before it; 32 bytes each, unix seconds. */
export interface Epoch {
  readonly current: Uint8Array;
  readonly previous: Uint8Array;
  readonly at: number;
}

/** Seconds that an epoch is the current one. */
export const EPOCH_SECONDS = 60;

/**
 * The epoch at `now`: the same while it is current, else a new nonce. The old one stays as the previous for as long again; after a longer
 * absence it is gone, and the new nonce stands alone.
 * @param fresh 32 random bytes, used when a nonce is due
 */
export function epochAt(old: Epoch | undefined, now: number, fresh: Uint8Array): Epoch {
  // A clock that was set back makes an epoch that lies in the future: it would never end.
  if (old !== undefined && old.at <= now && now < old.at + EPOCH_SECONDS) return old;
  const follows = old !== undefined && old.at <= now && now < old.at + 2 * EPOCH_SECONDS;
  return { current: fresh, previous: follows ? old.current : fresh, at: now };
}
