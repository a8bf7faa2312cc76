import { setTimeout as sleep } from 'node:timers/promises';

/** Looks again and again until there is something to see; an error that says what was missing after 15 seconds. */
export async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = performance.now() + 15_000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`not within 15 s: ${what}`);
    await sleep(50);
  }
}
