import { readdirSync, readFileSync } from 'node:fs';

export interface RunningProcess {
  readonly pid: number;
  /** Arguments, each followed by a zero byte. */
  readonly command: string;
  /** `NAME=value`, each followed by a zero byte. */
  readonly environment: string;
}

/** Every process of this machine that satisfies `wanted`. */
export function runningProcesses(wanted: (process: RunningProcess) => boolean): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => ({
      pid: Number(pid),
      command: readIfThere(`/proc/${pid}/cmdline`),
      get environment() {
        return readIfThere(`/proc/${pid}/environ`);
      },
    }))
    .filter(wanted)
    .map(({ pid }) => pid);
}

/** Files and processes come and go while they are read. */
export function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
