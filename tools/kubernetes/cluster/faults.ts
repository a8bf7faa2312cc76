/** What can go wrong with the cluster's own programs, on purpose: for suites, and by hand (`main.ts stop node1 kubelet`). */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Layout } from './layout.ts';
import { isRunning, type Machine, programsOf, resumeProgram, stopProgram } from './machine.ts';

/** @throws Error that names the machines there are */
export function machineOf({ control, nodes }: Layout, name: string): Machine {
  const found = [control, ...nodes].find((machine) => machine.name === name);
  if (found === undefined)
    throw new Error(`no machine ${name}: ${[control, ...nodes].map((machine) => machine.name).join(', ')}`);
  return found;
}

/** @throws Error that names the programs there are */
function programOf(machine: Machine, program: string): string {
  const programs = programsOf(machine);
  if (!programs.includes(program))
    throw new Error(`no ${program} on ${machine.name}: ${programs.join(', ')}`);
  return program;
}

/** Ends a program of a machine. Containers outlive their containerd and their kubelet, as they do on any node. */
export function stopPart(
  at: Layout,
  machine: string,
  program: string,
  signal: 'SIGTERM' | 'SIGKILL',
): Promise<void> {
  const where = machineOf(at, machine);
  return stopProgram(where, programOf(where, program), signal);
}

/** Starts it as it was first started; what it serves is ready a moment later. */
export function startPart(at: Layout, machine: string, program: string): void {
  const where = machineOf(at, machine);
  if (!isRunning(where, programOf(where, program))) resumeProgram(where, program);
}

/**
 * Agent and sidecars that start on this node from now on read a clock that is so far ahead.
 * @param offset as libfaketime reads it: `+3600s`; undefined: the true time again
 */
export function shiftClock(node: Machine, offset: string | undefined): void {
  const file = join(node.folder, 'clock');
  if (offset === undefined) rmSync(file, { force: true });
  else writeFileSync(file, offset);
}
