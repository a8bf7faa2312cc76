/** So much at once, and so much a minute after that. */
export interface Rate {
  readonly perMinute: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

/**
 * A token bucket per key (user name, peer's address). Keys are remembered up to `maxKeys`; the one used longest ago is forgotten first, so
 * that made-up names cannot fill the memory. Times are milliseconds of one clock.
 */
export class RateLimiter {
  readonly #rate: () => Rate;
  readonly #maxKeys: number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param rate may change: what is in a bucket stays, up to the new burst */
  constructor(rate: Rate | (() => Rate), maxKeys = 10_000) {
    this.#rate = typeof rate === 'function' ? rate : () => rate;
    this.#maxKeys = maxKeys;
  }

  /** 0 when it may go on (and one is counted), else how many milliseconds to wait. */
  take(key: string, now: number): number {
    const wait = this.wait(key, now);
    if (wait === 0) this.spend(key, 1, now);
    return wait;
  }

  /** How many milliseconds until there is one to take; 0 when there is. Nothing is counted. */
  wait(key: string, now: number): number {
    const { tokens } = this.#bucket(key, now);
    return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) * 60_000) / this.#rate().perMinute);
  }

  /** Counts what is known only afterwards, such as bytes: the bucket may be overdrawn, and who comes next waits it out. */
  spend(key: string, amount: number, now: number): void {
    this.#bucket(key, now).tokens -= amount;
  }

  /** Takes one back: what turned out harmless does not count. */
  giveBack(key: string, now: number): void {
    const bucket = this.#bucket(key, now);
    bucket.tokens = Math.min(this.#rate().burst, bucket.tokens + 1);
  }

  #bucket(key: string, now: number): Bucket {
    const { perMinute, burst } = this.#rate();
    const known = this.#buckets.get(key) ?? { tokens: burst, at: now };
    const gained = (Math.max(0, now - known.at) * perMinute) / 60_000;
    const bucket = { tokens: Math.min(burst, known.tokens + gained), at: now };
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#maxKeys) {
      const oldest = this.#buckets.keys().next().value;
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return bucket;
  }
}
