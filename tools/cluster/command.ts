/** Runs other programs and keeps what they said. */
import { spawn } from 'node:child_process';

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** All that it sees, besides a PATH of this Node and the system's programs. */
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Called with each whole line of standard output or error as it comes. */
  readonly onLine?: (line: string) => void;
}

/** Runs to the end; never rejects because of the exit code. Killed after `timeoutMs` (default 60 s): then the code is 124. */
export function command(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { PATH: process.execPath.replace(/\/[^/]+$/, ':/usr/sbin:/usr/bin:/sbin:/bin'), ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    let stdout = '';
    let stderr = '';
    let rest = '';
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, options.timeoutMs ?? 60_000);
    const lines = (chunk: string): void => {
      rest += chunk;
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
        options.onLine?.(rest.slice(0, end));
        rest = rest.slice(end + 1);
      }
    };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
      lines(chunk);
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
      lines(chunk);
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (rest !== '') options.onLine?.(rest);
      resolve({ code: late ? 124 : (code ?? (signal === 'SIGINT' ? 130 : 143)), stdout, stderr });
    });
    // A program that ends without reading its input is not our error.
    child.stdin.on('error', () => child.stdin.destroy());
    child.stdin.end(options.input ?? '');
  });
}

/** As `command`, but a code other than 0 is an error that holds what the program said. */
export async function mustRun(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await command(program, args, options);
  if (result.code !== 0)
    throw new Error(`${program} ${args.join(' ')}: exit ${result.code}\n${result.stderr || result.stdout}`);
  return result.stdout;
}
