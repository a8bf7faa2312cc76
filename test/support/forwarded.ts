import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Person, Settings } from '../../tools/demo/people.ts';
import { until } from './until.ts';

export interface Forwarded {
  readonly port: number;
  /** What connect said so far. */
  said(): string;
  /** A connection to the app through the local port; when it breaks it is closed, and no more is said. */
  open(): Promise<Socket>;
  /** Its exit code, when it has ended by itself; null when a signal ended it. */
  readonly exit: Promise<number | null>;
  /** Tells it to end. @returns as `exit` */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
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
  // When it has said all that it says.
  const exit = once(child, 'close').then(([code]) => code as number | null);
  const stop = (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    child.kill(signal);
    return exit;
  };
  try {
    const port = await until('connect forwards', () => {
      if (child.exitCode !== null) throw new Error(`connect ended: ${said}`);
      return /forwarding 127\.0\.0\.1:(\d+)/.exec(said)?.[1];
    });
    const open = async (): Promise<Socket> => {
      const socket = connect(Number(port), '127.0.0.1');
      await once(socket, 'connect');
      return socket.on('error', () => undefined);
    };
    return { port: Number(port), said: () => said, open, exit, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
