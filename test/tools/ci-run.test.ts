import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

/** .ci/run with a `make` that says what it was asked and ends as a test likes. */

const undo: (() => unknown)[] = [];
afterEach(() => {
  for (const each of undo.splice(0)) each();
});

const MAKE = `#!/bin/bash
echo "made $1"
[ "$1" != "$SLOW" ] || { sleep 30 & echo $! >pid; wait; }
[ "$1" != "$AFTER" ] || while [ ! -s pid ]; do sleep 0.02; done
case " $FAIL " in *" $1 "*) echo "broken $1"; exit 3;; esac
`;
const TOOLS = ['bash', 'cat', 'dirname', 'mktemp', 'rm', 'sleep'];

function run({
  go = true,
  user = 0,
  ...environment
}: { go?: boolean; user?: number } & Record<string, unknown>) {
  const folder = mkdtempSync(join(tmpdir(), 'ci-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  mkdirSync(join(folder, '.ci'));
  mkdirSync(join(folder, 'tmp'));
  copyFileSync('.ci/run', join(folder, '.ci/run'));
  for (const tool of TOOLS)
    symlinkSync(
      spawnSync('bash', ['-c', `type -P ${tool}`], { encoding: 'utf8' }).stdout.trim(),
      join(bin, tool),
    );
  const program = (name: string, text: string) => writeFileSync(join(bin, name), text, { mode: 0o755 });
  program('make', MAKE);
  program('id', `#!/bin/bash\necho ${user}\n`);
  if (go) program('go', '#!/bin/bash\n');
  const { status, stdout } = spawnSync(join(bin, 'bash'), [join(folder, '.ci/run')], {
    encoding: 'utf8',
    env: { PATH: bin, TMPDIR: join(folder, 'tmp'), FAIL: '', SLOW: '', AFTER: '', ...environment },
    timeout: 20_000,
  });
  return { status, stdout, made: stdout.match(/(?<=^made ).*/gm), folder };
}

/** A process that has ended may wait for its parent. */
function runs(pid: string): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid.trim()}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

const FIRST = ['setup', 'check', 'test', 'demo'];

test('every stage is run; what went on beside the others is said at the end', () => {
  const { status, made } = run({});
  expect(made).toEqual([...FIRST, 'test-long', 'test-postgres', 'test-kube', 'e2e']);
  expect(status).toBe(0);
});

test('without Go, and for who is not root, it says what is left out', () => {
  const [noGo, noRoot] = [run({ go: false }), run({ user: 1000 })];
  expect(noGo.made).toEqual([...FIRST, 'test-long', 'test-postgres']);
  expect(noGo.stdout).toContain('no Go here: make test-kube and make e2e are left out');
  expect(noRoot.made).toEqual([...FIRST, 'test-long', 'test-kube']);
  expect(noRoot.stdout).toContain('not root: make e2e is left out');
  expect(noRoot.stdout).toContain('not root: make test-postgres is left out');
  expect([noGo.status, noRoot.status]).toEqual([0, 0]);
});

test.each([...FIRST, 'test-long', 'test-postgres', 'test-kube', 'e2e'])(
  'a failure of make %s is one of all',
  (stage) => {
    const { status, stdout, made } = run({ FAIL: stage });
    expect(status).not.toBe(0);
    expect(stdout).toContain(`broken ${stage}`);
    if (FIRST.includes(stage)) expect(made?.at(-1)).toBe(stage);
  },
);

test('a failure ends what goes on beside it, and shows what that said', async () => {
  const { status, stdout, folder } = run({ FAIL: 'test-long', SLOW: 'e2e', AFTER: 'test-long' });
  expect(status).not.toBe(0);
  expect(stdout).toMatch(/broken test-long.*made e2e/s);
  const beside = readFileSync(join(folder, 'pid'), 'utf8');
  await expect.poll(() => runs(beside)).toBe(false);
});
