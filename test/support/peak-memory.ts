import { readFileSync, writeFileSync } from 'node:fs';

/** From now on the peak counts anew (proc(5), clear_refs). @returns bytes of a process that are in RAM now */
export function forgetPeak(pid: number): number {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  return bytesOf(pid, 'VmRSS');
}

/** Most bytes of a process that were in RAM at one time (proc(5), VmHWM). */
export function peakMemory(pid: number): number {
  return bytesOf(pid, 'VmHWM');
}

function bytesOf(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
}
