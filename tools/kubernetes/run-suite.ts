import { spawn } from 'node:child_process';

export interface SuiteResult {
  readonly passed: number;
  /** Skipped ones count here: they prove nothing. */
  readonly failed: number;
  readonly output: string;
}

export interface SuiteOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Command and arguments that node and its arguments follow. */
  readonly under?: readonly string[];
}

/** Of tools/run-tests.ts; suites elsewhere need none. */
const PROJECTS = [
  ['test/installed/', '--installed'],
  ['test/images/built/', '--images'],
] as const;

/** Runs one suite in a process of its own (tools/run-tests.ts). One that says no counts is one failure. */
export function runSuite(file: string, { env, signal, under = [] }: SuiteOptions): Promise<SuiteResult> {
  return new Promise((resolve, reject) => {
    const project = PROJECTS.filter(([folder]) => file.startsWith(folder)).map(([, flag]) => flag);
    const [program = '', ...argv] = [...under, process.execPath, 'tools/run-tests.ts', ...project, file];
    const tests = spawn(program, argv, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    let output = '';
    for (const stream of [tests.stdout, tests.stderr])
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
      });
    const abort = (): void => void tests.kill('SIGTERM');
    signal.addEventListener('abort', abort, { once: true });
    tests.once('error', reject);
    tests.once('close', () => {
      signal.removeEventListener('abort', abort);
      const counts = /(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$/.exec(output);
      if (counts === null) return resolve({ passed: 0, failed: 1, output });
      resolve({ passed: Number(counts[1]), failed: Number(counts[2]) + Number(counts[3] ?? 0), output });
    });
  });
}
