import { once } from 'node:events';
import type { Writable } from 'node:stream';

/**
 * Writes a stream's messages with back pressure; stops, and lets the source clean up, when the signal aborts.
 * @returns whether the source came to its end
 */
export async function writeAll(
  sink: Writable,
  source: AsyncIterable<unknown>,
  signal: AbortSignal,
): Promise<boolean> {
  const iterator = source[Symbol.asyncIterator]();
  const aborted = new Promise<'aborted'>((resolve) => {
    if (signal.aborted) resolve('aborted');
    else signal.addEventListener('abort', () => resolve('aborted'), { once: true });
  });
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (next === 'aborted') return false;
      if (next.done) return true;
      if (!sink.write(next.value)) await Promise.race([once(sink, 'drain'), aborted]);
    }
  } finally {
    // Not awaited: a generator that waits for something else would hold us.
    void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}
