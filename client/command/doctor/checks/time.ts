import type { Snapshot } from '../snapshot.ts';

/** Unix seconds: the API server's clock where it tells it, since that is whose the cluster goes by. */
export function nowOf({ server }: Snapshot): number {
  return Math.floor((server.date ?? server.asked) / 1000);
}

export function days(seconds: number): number {
  return Math.floor(seconds / 86_400);
}

/** Unix milliseconds of an RFC 3339 time; undefined for what is none. */
export function timeOf(text: string | undefined): number | undefined {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? undefined : time;
}
