import { readFileSync } from 'node:fs';

/** Bytes of anonymous memory of a process that is in RAM (proc(5), RssAnon). */
export function anonymousMemory(pid: number): number {
  const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kilobytes) * 1024;
}
