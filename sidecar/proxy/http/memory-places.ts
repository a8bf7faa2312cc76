import { threeQuarters } from '../../serve/connection-limits.ts';

export interface MemoryPlaces {
  /** A place, whether or not there is room. Returns how to give it back. @param bytes that it takes at most */
  hold(who: string, bytes: number): () => void;
  /** The same if there is room; undefined when all or this user has too much already. */
  take(who: string, bytes: number): (() => void) | undefined;
}

/** One bound over all connections: what each of them and each of their requests may take at most, added up. One user may have three quarters. */
export function createMemoryPlaces(memory: number): MemoryPlaces {
  const perUser = threeQuarters(memory);
  const byUser = new Map<string, number>();
  let taken = 0;
  const add = (who: string, bytes: number): void => {
    taken += bytes;
    const ofUser = (byUser.get(who) ?? 0) + bytes;
    if (ofUser === 0) byUser.delete(who);
    else byUser.set(who, ofUser);
  };
  const hold = (who: string, bytes: number): (() => void) => {
    add(who, bytes);
    return () => add(who, -bytes);
  };
  return {
    hold,
    take: (who, bytes) =>
      taken + bytes > memory || (byUser.get(who) ?? 0) + bytes > perUser ? undefined : hold(who, bytes),
  };
}
