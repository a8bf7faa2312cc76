import { setTimeout as sleep } from 'node:timers/promises';

const [PAUSE_MS, LONGEST_PAUSE_MS] = [20, 500];

/**
 * Looks again and again until there is something to see; an error that says what was missing after `withinMs`. After a look that took
 * long (one that starts a process, say) the pause is as long, up to half a second, so that looking does not hold up what is waited for.
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const begun = performance.now();
    const found = await look();
    if (found !== undefined && found !== false) return found;
    const now = performance.now();
    if (now > deadline) throw new Error(`not within ${withinMs / 1000} s: ${what}`);
    await sleep(Math.min(Math.max(PAUSE_MS, now - begun), LONGEST_PAUSE_MS));
  }
}
