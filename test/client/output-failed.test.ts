import { spawnSync } from 'node:child_process';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const main = join(fileURLToPath(new URL('../..', import.meta.url)), 'client/command/main.ts');

function enclavectl(out: number | 'pipe', ...argv: string[]) {
  const { status, stderr } = spawnSync(process.execPath, [main, ...argv], {
    stdio: ['ignore', out, 'pipe'],
    encoding: 'utf8',
  });
  return { status, stderr };
}

test.each([[['--help']], [['ls', '--json']], [[]]])(
  'an answer that finds no room on the disk is a fault, and said: enclavectl %j',
  (argv) => {
    const { status, stderr } = enclavectl(openSync('/dev/full', 'w'), ...argv);
    expect(status).toBe(5);
    expect(stderr).toMatch(
      /^enclavectl: standard output cannot be written: .*no space left.* \(output-failed\)\n$/i,
    );
  },
);
