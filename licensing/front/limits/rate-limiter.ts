/** So many at once, and so many a minute after that. */
export interface Rate {
  readonly perMinute: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

/**
 * A token bucket per key (user name, peer). Keys are remembered up to `maxKeys`; the one used longest ago is forgotten first, so
 * that made-up names cannot fill the memory. Times are milliseconds.
 */
export class RateLimiter {
  readonly #rate: Rate;
  readonly #maxKeys: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate, maxKeys = 10_000) {
    this.#rate = rate;
    this.#maxKeys = maxKeys;
  }

  /** 0 when it may go on (and is counted), else how many milliseconds to wait. */
  take(key: string, now: number): number {
    const bucket = this.#bucket(key, now);
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 0;
    }
    return Math.ceil(((1 - bucket.tokens) * 60_000) / this.#rate.perMinute);
  }

  /** Takes one back: what turned out harmless does not count. */
  giveBack(key: string, now: number): void {
    const bucket = this.#bucket(key, now);
    bucket.tokens = Math.min(this.#rate.burst, bucket.tokens + 1);
  }

  #bucket(key: string, now: number): Bucket {
    const known = this.#buckets.get(key) ?? { tokens: this.#rate.burst, at: now };
    const gained = (Math.max(0, now - known.at) * this.#rate.perMinute) / 60_000;
    const bucket = { tokens: Math.min(this.#rate.burst, known.tokens + gained), at: now };
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#maxKeys) {
      const oldest = this.#buckets.keys().next().value;
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return bucket;
  }
}
