import { readdirSync, readFileSync } from 'node:fs';
import { anonymousMemory } from '../../test/support/anonymous-memory.ts';

/** All processes of one kind: each agent's, each TPM's. */
export interface ProcessGroup {
  readonly count: number;
  /** Since their start, threads included. */
  readonly cpuSeconds: number;
  /** Anonymous, in RAM. */
  readonly memoryBytes: number;
}

/** proc(5): USER_HZ. */
const TICKS = 100;

/** This process and all below it, by what they run. */
export function processGroups(): Map<string, ProcessGroup> {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = stat(Number(entry))?.parent;
    if (parent !== undefined) parents.set(Number(entry), parent);
  }
  const groups = new Map<string, ProcessGroup>();
  for (const pid of parents.keys()) {
    if (!descends(pid, parents)) continue;
    const name = programName(pid);
    const found = stat(pid);
    if (name === undefined || found === undefined) continue;
    const before = groups.get(name) ?? { count: 0, cpuSeconds: 0, memoryBytes: 0 };
    groups.set(name, {
      count: before.count + 1,
      cpuSeconds: before.cpuSeconds + found.cpuSeconds,
      memoryBytes: before.memoryBytes + memory(pid),
    });
  }
  return groups;
}

function descends(pid: number, parents: ReadonlyMap<number, number>): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at))
    if (at === process.pid) return true;
  return false;
}

function programName(pid: number): string | undefined {
  if (pid === process.pid) return 'users';
  const command = read(`/proc/${pid}/cmdline`).split('\0');
  const [program = '', script = ''] = command;
  const component = /dist\/([\w-]+)\/main\.js$/.exec(script)?.[1];
  if (component !== undefined) return component;
  if (script.endsWith('bench/scale/nodes.ts')) return 'nodes';
  return /(?:^|\/)(swtpm|etcd|kube-apiserver)$/.exec(program)?.[1];
}

function stat(pid: number): { readonly parent: number; readonly cpuSeconds: number } | undefined {
  const text = read(`/proc/${pid}/stat`);
  // The name stands in brackets and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 13) return undefined;
  return { parent: Number(fields[1]), cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS };
}

/** Processes come and go while they are read. */
function memory(pid: number): number {
  try {
    return anonymousMemory(pid) || 0;
  } catch {
    return 0;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
