import { readFile } from 'node:fs/promises';
import { parseRoots } from '../formats/evidence/roots.ts';
import type { Logger } from '../platform/log/logger.ts';
import { explain } from '../platform/run/explain.ts';
import { type Live, liveValue } from '../platform/run/live.ts';
import { sleep } from '../platform/run/sleep.ts';

const EVERY_MS = 2000;

/**
 * The text of roots.json, followed: the kubelet replaces a mounted ConfigMap by renaming a folder, which file watchers lose, so it is read
 * every two seconds. What cannot be read or parsed leaves the last good text standing. Waits until there is one.
 */
export async function followRoots(
  path: string,
  log: Logger,
  signal: AbortSignal,
  everyMs = EVERY_MS,
): Promise<Live<string>> {
  let trouble = '';
  const read = async (): Promise<string | undefined> => {
    try {
      const text = await readFile(path, 'utf8');
      const roots = parseRoots(text);
      if (roots.ok) {
        trouble = '';
        return text;
      }
      complain(roots.message);
    } catch (error) {
      complain(explain(error));
    }
    return undefined;
  };
  const complain = (reason: string): void => {
    if (reason !== trouble) log.warn({ path, reason }, 'no good roots in the file');
    trouble = reason;
  };
  let first = await read();
  while (first === undefined) {
    if (!(await sleep(everyMs, signal)))
      throw new DOMException('stopped while waiting for roots', 'AbortError');
    first = await read();
  }
  const roots = liveValue(first);
  void (async () => {
    while (await sleep(everyMs, signal)) {
      const text = await read();
      if (text !== undefined && text !== roots.current()) {
        log.info({ path }, 'roots changed');
        roots.set(text);
      }
    }
  })();
  return roots;
}
