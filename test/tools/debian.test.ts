import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';

/** tools/debian.sh with an `apt-get` that takes its time, and that nothing of the machine is touched by. */

const undo: (() => unknown)[] = [];
afterEach(() => {
  for (const each of undo.splice(0)) each();
});

const APT = `#!/bin/bash
echo "begins $*" >>"$FOLDER/said"
sleep 0.3
for package in "$@"; do [ "$package" != one ] || touch "$FOLDER/one"; [ "$package" != two ] || touch "$FOLDER/two"; done
echo "ends $*" >>"$FOLDER/said"
`;

function start() {
  const folder = mkdtempSync(join(tmpdir(), 'debian-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  const program = (name: string, text: string) => writeFileSync(join(folder, name), text, { mode: 0o755 });
  program('apt-get', APT);
  program('id', '#!/bin/bash\necho 0\n');
  // What keeps servers from starting is a file of the machine.
  program('tee', '#!/bin/bash\ncat >/dev/null\n');
  program('chmod', '#!/bin/bash\n');
  program('rm', '#!/bin/bash\n[ "$2" = /usr/sbin/policy-rc.d ] || exec /bin/rm "$@"\n');
  const install = (...packages: string[]) =>
    promisify(execFile)(
      'bash',
      [resolve('tools/debian.sh'), 'me', ...packages.map((each) => `${folder}/${each}:${each}`)],
      { env: { FOLDER: folder, XDG_CACHE_HOME: folder, PATH: `${folder}:${process.env['PATH']}` } },
    );
  const said = () => readFileSync(join(folder, 'said'), 'utf8').trim().split('\n');
  return { folder, install, said };
}

test('what is missing is installed, once, and what is there is not', async () => {
  const { folder, install, said } = start();
  await install('one');
  expect(existsSync(join(folder, 'one'))).toBe(true);
  expect(said().filter((line) => /begins install .* one$/.test(line))).toHaveLength(1);
  const before = said().length;
  await install('one');
  expect(said()).toHaveLength(before);
});

test('of two at a time one installs what both want, and the other then what is left', async () => {
  const { install, said } = start();
  await Promise.all([install('one'), install('one'), install('one', 'two')]);
  // One after the other: nothing begins before what began has ended.
  expect(said().filter((line, at) => line.startsWith(at % 2 === 0 ? 'begins' : 'ends'))).toEqual(said());
  const installs = said().filter((line) => line.startsWith('begins install'));
  expect(
    installs.filter((line) => !/ (?:one|two)$/.test(line)),
    'installs nothing',
  ).toEqual([]);
  expect(installs.filter((line) => / one\b/.test(line))).toHaveLength(1);
  expect(installs.filter((line) => / two\b/.test(line))).toHaveLength(1);
});
