/** What one peer may take of the evidence endpoint, which serves everybody: so many at once, and so much on and on. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

export interface PeerLimits {
  /** Takes from a peer's bucket; false when it is empty. A bucket may be overdrawn once: the next take waits it out. */
  take(peer: string, amount: number): boolean;
}

/** Peers that are remembered: the least recently seen is forgotten first, so memory is bounded whoever comes. */
const PEERS = 4096;

/** Token buckets by peer. @param now seconds, monotone */
export function peerLimits({ burst, perSecond }: Rate, now: () => number): PeerLimits {
  const buckets = new Map<string, { left: number; at: number }>();
  return {
    take: (peer, amount) => {
      const at = now();
      const bucket = buckets.get(peer) ?? { left: burst, at };
      buckets.delete(peer);
      bucket.left = Math.min(burst, bucket.left + (at - bucket.at) * perSecond);
      bucket.at = at;
      buckets.set(peer, bucket);
      const [oldest] = buckets.keys();
      if (buckets.size > PEERS && oldest !== undefined) buckets.delete(oldest);
      if (bucket.left <= 0) return false;
      bucket.left -= amount;
      return true;
    },
  };
}
