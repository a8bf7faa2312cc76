import type { Result } from '../formats/bytes/result.ts';
import { readGivenFile } from '../platform/files/read-given-file.ts';
import type { Logger } from '../platform/log/logger.ts';
import { explain } from '../platform/run/explain.ts';
import { type Live, liveValue } from '../platform/run/live.ts';
import { sleep } from '../platform/run/sleep.ts';

const EVERY_MS = 2000;
/** Reviews are answered by the same thread: a pipe is not waited for. */
const NO_PATIENCE = { writer: 0, all: 0 };

export interface FollowedFile<T> {
  readonly path: string;
  /** What the file holds, for the log: `roots`. */
  readonly what: string;
  parse(text: string): Result<T>;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly everyMs?: number;
}

/**
 * What a file says, followed: the kubelet replaces mounted ConfigMaps and Secrets by renaming a folder, which file watchers lose, so it is read
 * every two seconds. What cannot be read or parsed leaves the last good value standing. Waits until there is one.
 * @throws an AbortError when the signal ends the wait
 */
export async function followFile<T>(file: FollowedFile<T>): Promise<Live<T>> {
  const { path, what, log, signal, everyMs = EVERY_MS } = file;
  let trouble = '';
  let held: string | undefined;
  const complain = (reason: string): void => {
    if (reason !== trouble) log.warn({ path, reason }, `no good ${what} in the file`);
    trouble = reason;
  };
  /** Undefined when the file says what it said before, or nothing good. */
  const read = (): { value: T } | undefined => {
    try {
      const text = readGivenFile(path, undefined, NO_PATIENCE).toString('utf8');
      const parsed = text === held ? undefined : file.parse(text);
      if (parsed?.ok === false) complain(parsed.message);
      else trouble = '';
      if (!parsed?.ok) return undefined;
      held = text;
      return parsed;
    } catch (error) {
      complain(explain(error));
    }
    return undefined;
  };
  let first = read();
  while (first === undefined) {
    if (!(await sleep(everyMs, signal)))
      throw new DOMException(`stopped while waiting for ${what}`, 'AbortError');
    first = read();
  }
  const live = liveValue(first.value);
  void (async () => {
    while (await sleep(everyMs, signal)) {
      const next = read();
      if (next === undefined) continue;
      log.info({ path }, `${what} changed`);
      live.set(next.value);
    }
  })();
  return live;
}
