import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { readIfThere } from '../../platform/files/read-if-there.ts';
import { sleep } from '../../platform/run/sleep.ts';
import { usage } from '../failure.ts';

const WAIT_MS = 10_000;
const AGAIN_MS = 5;

/**
 * Runs what reads and then writes files of a folder while no other process does: several `enclavectl` may stand on one state. The work is synchronous and short, so
 * a lock that outlives it was left by a process that is gone; it is taken away when that process is certainly gone.
 * @throws Failure when it cannot be had within ten seconds, with what to do
 */
export async function withLock<T>(folder: string, work: () => T, waitMs = WAIT_MS): Promise<T> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = join(folder, 'lock');
  const end = Date.now() + waitMs;
  while (!take(lock)) {
    if (isLeftBehind(lock) && removeLeftBehind(lock)) continue;
    if (Date.now() > end)
      throw usage(
        'state-locked',
        `${lock} is held by ${readIfThere(lock)?.toString('utf8') || 'nobody known'}`,
        `wait for the other enclavectl; if there is none, remove that file, and ${removerOf(lock)} if it is there`,
      );
    await sleep(AGAIN_MS);
  }
  try {
    return work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Creating a file that must not be there is atomic (open(2), O_EXCL). */
function take(path: string): boolean {
  try {
    const file = openSync(path, 'wx', 0o600);
    try {
      writeSync(file, `${process.pid} ${hostname()}`);
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    } finally {
      closeSync(file);
    }
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Its process ran on this machine and is gone. A lock that says nothing yet is being made. */
function isLeftBehind(lock: string): boolean {
  const [, pid, host] = /^(\d+) (.+)$/.exec(readIfThere(lock)?.toString('utf8') ?? '') ?? [];
  if (pid === undefined || host !== hostname()) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}

function removerOf(lock: string): string {
  return `${lock}.remover`;
}

/**
 * Only one at a time looks again and removes: otherwise the second would take away the lock that the first has made meanwhile.
 * @returns false when another is at it, or was killed at it
 */
function removeLeftBehind(lock: string): boolean {
  const remover = removerOf(lock);
  if (!take(remover)) return false;
  try {
    if (isLeftBehind(lock)) rmSync(lock, { force: true });
    return true;
  } finally {
    rmSync(remover, { force: true });
  }
}
