import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Stream } from './container-log.ts';
import type { Warden } from './warden.ts';

export interface ProcessSpec {
  /** Executable and arguments; never empty. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export interface ProcessExit {
  /** As a shell counts: 128 and the number for a signal. */
  readonly exitCode: number;
  readonly signal?: number;
}

export interface ContainerProcess {
  readonly pid: number;
  /** Resolves when the process has ended, its whole group with it, and its output is written. */
  readonly exited: Promise<ProcessExit>;
  /** To the process alone, as to a container's process 1. */
  signal(signal: NodeJS.Signals): void;
  /** Ends the whole group at once. */
  kill(): void;
}

/** An executable that could not be started. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** How long output is read on after the end of the process that made it. */
const DRAIN_MS = 1000;

/**
 * Starts a process with exactly this environment, in a process group and session of its own, without input and
 * without any other open file of ours. @throws StartError
 */
export async function startProcess(
  spec: ProcessSpec,
  warden: Warden,
  output: (stream: Stream, chunk: Buffer) => void,
): Promise<ContainerProcess> {
  const [file = '', ...args] = spec.command;
  const child = spawn(file, args, {
    cwd: spec.cwd,
    env: spec.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid === undefined) {
    const error = await new Promise<Error>((resolve) => child.once('error', resolve));
    throw new StartError(`exec: "${file}": ${error.message}`);
  }
  warden.record(pid);
  // After the start an error means that a signal could not be sent: the process has ended.
  child.on('error', () => {});
  child.stdout.on('data', (chunk: Buffer) => output('stdout', chunk));
  child.stderr.on('data', (chunk: Buffer) => output('stderr', chunk));
  const killGroup = (): void => {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // Nothing of the group is left.
    }
  };
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('exit', (code, signal) => {
      killGroup();
      warden.strike(pid);
      const number = signal === null ? undefined : constants.signals[signal];
      const exit =
        number === undefined ? { exitCode: code ?? 255 } : { exitCode: 128 + number, signal: number };
      const timer = setTimeout(() => child.stdout.destroy(), DRAIN_MS);
      void Promise.race([closed, new Promise((done) => setTimeout(done, DRAIN_MS).unref())]).then(() => {
        clearTimeout(timer);
        resolve(exit);
      });
    });
  });
  return { pid, exited, signal: (signal) => void child.kill(signal), kill: killGroup };
}
