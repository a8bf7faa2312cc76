import { threeQuarters } from '../../serve/connection-limits.ts';

export interface MemoryPlaces {
  /** A place, whether or not others left room: who comes first hears why its requests are refused. Returns how to give it back; undefined when this user has too much already. @param bytes that it takes at most */
  hold(who: string, bytes: number): (() => void) | undefined;
  /** The same if there is room. */
  take(who: string, bytes: number): (() => void) | undefined;
}

/** One bound over all connections: what each of them and each of their requests may take at most, added up. One user may have three quarters, of both together: what is left is for others. */
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
  const hold = (who: string, bytes: number): (() => void) | undefined => {
    if ((byUser.get(who) ?? 0) + bytes > perUser) return undefined;
    add(who, bytes);
    return () => add(who, -bytes);
  };
  return {
    hold,
    take: (who, bytes) => (taken + bytes > memory ? undefined : hold(who, bytes)),
  };
}
