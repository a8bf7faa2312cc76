import { setTimeout as delay } from 'node:timers/promises';

/** Resolves after `ms` or as soon as the signal aborts, whichever is first; true when the time passed. Never rejects. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<boolean> {
  if (signal?.aborted) return false;
  return delay(ms, true, signal === undefined ? {} : { signal }).catch(() => false);
}
