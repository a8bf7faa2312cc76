/**
 * A machine of the cluster: mount, network and PID namespaces that one process holds (machine-init.sh). Its programs outlive the
 * process that starts them; every function here finds them again by what is written in the machine's folder.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CommandOptions, mustRun } from '../../cluster/command.ts';
import { SELDOM_COLLECTED } from '../api-server.ts';
import { childrenOf, hasEnded, isAlive, readRecord, recordProcess } from './process-record.ts';

/** Where a machine's own processes find its folder, and the programs that build.sh made. */
export const INSIDE = '/run/machine';
export const PROGRAMS = '/run/programs';
const INIT = resolve(import.meta.dirname, 'machine-init.sh');
const START_MS = 20_000;
const END_MS = 20_000;

export interface Machine {
  readonly name: string;
  readonly folder: string;
}

/** Its namespaces, up to where programs can start in them. */
export async function startMachine(machine: Machine, programs: string): Promise<void> {
  mkdirSync(join(machine.folder, 'log'), { recursive: true, mode: 0o700 });
  mkdirSync(join(machine.folder, 'started'), { recursive: true });
  rmSync(join(machine.folder, 'ready'), { force: true });
  writeFileSync(join(machine.folder, 'programs'), programs);
  const log = openSync(join(machine.folder, 'log', 'init'), 'a');
  const child = spawn(
    'unshare',
    [
      ...['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'],
      ...['bash', INIT, machine.folder, programs],
    ],
    { detached: true, stdio: ['ignore', log, log], cwd: '/' },
  );
  child.unref();
  const { pid } = child;
  if (pid === undefined) throw new Error('unshare is not installed: Debian package util-linux');
  const record = recordProcess(join(machine.folder, 'holder'), pid);
  const deadline = performance.now() + START_MS;
  while (!existsSync(join(machine.folder, 'ready'))) {
    if (!isAlive(record) || performance.now() > deadline)
      throw new Error(`no namespaces for ${machine.name}:\n${logTail(machine, 'init')}`);
    await sleep(20);
  }
}

/** After `endMachine`, with what is on its disk; its programs are still to be started. */
export function restartMachine(machine: Machine): Promise<void> {
  return startMachine(machine, readFileSync(join(machine.folder, 'programs'), 'utf8'));
}

/** Ends every process of the machine at once; its mounts and interfaces go with them. @returns whether there was one */
export async function endMachine(machine: Machine): Promise<boolean> {
  const holder = readRecord(join(machine.folder, 'holder'));
  if (holder === undefined || !isAlive(holder)) return false;
  // Process 1 first: unshare ends when the kernel has ended the whole namespace, and not before.
  const [first] = childrenOf(holder);
  kill(first ?? holder.pid, 'SIGKILL');
  if (await hasEnded(holder, END_MS)) return true;
  kill(holder.pid, 'SIGKILL');
  if (!(await hasEnded(holder, END_MS)))
    throw new Error(`${machine.name} does not end: process ${holder.pid}`);
  return true;
}

/** Host's number of the machine's process 1, or undefined when it is not running. */
export function firstProcess(machine: Machine): number | undefined {
  const holder = readRecord(join(machine.folder, 'holder'));
  return holder !== undefined && isAlive(holder) ? childrenOf(holder)[0] : undefined;
}

/** Runs a command in the machine to its end. @throws Error with what it said, when its code is not 0 */
export function runIn(
  machine: Machine,
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  return mustRun('nsenter', [...entering(machine), ...argv], options);
}

/** Starts a long-running program in the machine, its output to `log/<name>`; it can be stopped and started again by its name. */
export function startProgram(machine: Machine, name: string, argv: readonly string[]): void {
  writeFileSync(argvFile(machine, name), JSON.stringify(argv), { mode: 0o600 });
  resumeProgram(machine, name);
}

/** Starts it again as it was started first. */
export function resumeProgram(machine: Machine, name: string): void {
  const argv = JSON.parse(readFileSync(argvFile(machine, name), 'utf8')) as string[];
  const log = openSync(join(machine.folder, 'log', name), 'a');
  const child = spawn('nsenter', [...entering(machine), ...argv], {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
    env: {
      PATH: `${PROGRAMS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      GOGC: SELDOM_COLLECTED,
    },
  });
  child.unref();
  if (child.pid === undefined) throw new Error('nsenter is not installed: Debian package util-linux');
  recordProcess(recordFile(machine, name), child.pid);
}

/** Ends one program. SIGKILL is a crash, SIGTERM an orderly end (then SIGKILL after ten seconds). */
export async function stopProgram(
  machine: Machine,
  name: string,
  signal: 'SIGTERM' | 'SIGKILL',
): Promise<void> {
  const entered = readRecord(recordFile(machine, name));
  if (entered === undefined || !isAlive(entered)) return;
  const [program] = childrenOf(entered);
  kill(program ?? entered.pid, signal);
  if (await hasEnded(entered, 10_000)) return;
  for (const each of childrenOf(entered)) kill(each, 'SIGKILL');
  if (!(await hasEnded(entered, END_MS))) throw new Error(`${name} of ${machine.name} does not end`);
}

export function isRunning(machine: Machine, name: string): boolean {
  const record = readRecord(recordFile(machine, name));
  return record !== undefined && isAlive(record);
}

/** Names of the programs that were started in it. */
export function programsOf(machine: Machine): string[] {
  return readdirSync(join(machine.folder, 'started'))
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length));
}

export function logTail(machine: Machine, name: string, lines = 8): string {
  const text = readFileSync(join(machine.folder, 'log', name), 'utf8');
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}

function entering(machine: Machine): string[] {
  const first = firstProcess(machine);
  if (first === undefined) throw new Error(`${machine.name} is not running`);
  return [`--target=${first}`, '--mount', '--net', '--pid', '--'];
}

function argvFile(machine: Machine, name: string): string {
  return join(machine.folder, 'started', `${name}.json`);
}

function recordFile(machine: Machine, name: string): string {
  return join(machine.folder, 'started', `${name}.process`);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself.
  }
}
