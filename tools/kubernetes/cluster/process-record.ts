/** A process that outlives the one that started it: known by its number and the time it began, so that a number used again is not it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessRecord {
  readonly pid: number;
  /** Clock ticks since boot (proc(5), field 22 of stat). */
  readonly begun: string;
}

export function recordProcess(file: string, pid: number): ProcessRecord {
  const record = { pid, begun: stat(pid)?.begun ?? '' };
  writeFileSync(file, `${pid} ${record.begun}\n`, { mode: 0o600 });
  return record;
}

/** undefined where nothing is recorded. */
export function readRecord(file: string): ProcessRecord | undefined {
  try {
    const [pid = '', begun = ''] = readFileSync(file, 'utf8').trim().split(' ');
    return /^[0-9]+$/.test(pid) ? { pid: Number(pid), begun } : undefined;
  } catch {
    return undefined;
  }
}

/** Not a zombie either: whoever inherits it may be slow to ask. */
export function isAlive({ pid, begun }: ProcessRecord): boolean {
  const now = stat(pid);
  return now !== undefined && now.begun === begun && now.state !== 'Z';
}

/** Numbers of its children, as this process sees them. */
export function childrenOf({ pid }: ProcessRecord): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number);
  } catch {
    return [];
  }
}

/** Resolves to whether it has ended within `timeoutMs`. */
export async function hasEnded(record: ProcessRecord, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isAlive(record)) {
    if (performance.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}

function stat(pid: number): { readonly state: string; readonly begun: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, a name in parentheses, may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', begun: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}
