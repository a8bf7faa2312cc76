/** Streams that one address may have open. An agent needs one; several agents may share an address behind a proxy. */
const PER_ADDRESS = 16;
/** How long a place stays taken after its token was refused: what a stranger can make the API server review is bounded by it. */
const PENALTY_MS = 1000;

export interface CallerPlace {
  /** Frees the place; later when the caller turned out to be nobody. */
  leave(refused: boolean): void;
}

/** Places by address, so that whoever reaches our port cannot have the API server review tokens without end. */
export function createCallerPlaces(penaltyMs = PENALTY_MS): {
  take(address: string): CallerPlace | undefined;
} {
  const taken = new Map<string, number>();
  const free = (address: string): void => {
    const left = (taken.get(address) ?? 1) - 1;
    if (left > 0) taken.set(address, left);
    else taken.delete(address);
  };
  return {
    take: (address) => {
      const others = taken.get(address) ?? 0;
      if (others >= PER_ADDRESS) return undefined;
      taken.set(address, others + 1);
      return {
        leave: (refused) => {
          if (refused) setTimeout(free, penaltyMs, address).unref();
          else free(address);
        },
      };
    },
  };
}
