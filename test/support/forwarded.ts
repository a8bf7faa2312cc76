import { spawn } from 'node:child_process';
import type { Person, Settings } from '../../tools/demo/people.ts';
import { until } from './until.ts';

export interface Forwarded {
  readonly port: number;
  /** What connect said so far. */
  said(): string;
  stop(): Promise<void>;
}

/** `enclavectl connect` of that person with a local port; resolves when it forwards, which it does after a good verdict only. */
export async function forwarded(
  who: Person,
  settings: Settings,
  args: readonly string[],
): Promise<Forwarded> {
  const child = spawn(
    process.execPath,
    ['dist/enclavectl.js', 'connect', ...args, '--listen', '127.0.0.1:0'],
    { env: { HOME: who.home, ...settings }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await gone;
  };
  try {
    const port = await until('connect forwards', () => {
      if (child.exitCode !== null) throw new Error(`connect ended: ${said}`);
      return /forwarding 127\.0\.0\.1:(\d+)/.exec(said)?.[1];
    });
    return { port: Number(port), said: () => said, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
