import { spawn } from 'node:child_process';
import type { FakeFront } from './client-front.ts';

const MAIN = new URL('../../client/command/main.ts', import.meta.url).pathname;

/** enclavectl on a real terminal: `script` (bsdutils, on every Debian) makes one. */
export function onTerminal(home: string, front: FakeFront, ...argv: string[]) {
  const line = [
    process.execPath,
    MAIN,
    '--ca',
    `${home}/operator-roots.json`,
    '--server',
    front.address,
    ...argv,
  ].join(' ');
  const child = spawn('script', ['-qfec', line, '/dev/null'], {
    env: { PATH: process.env['PATH'], HOME: home, TERM: 'dumb' },
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { text: () => text, type: (keys: string) => child.stdin.write(keys), ended };
}
