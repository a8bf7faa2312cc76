import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LOCK_FILE, parseLock, printLock } from '../../tools/images/debian-lock.ts';

const text = readFileSync(LOCK_FILE, 'utf8');

test('the lock is what make images-lock writes, with the same packages for both architectures', () => {
  const packages = parseLock(text);
  expect(printLock(packages)).toBe(text);
  const of = (arch: string) => packages.filter((each) => each.architecture === arch).map(({ name }) => name);
  expect(of('amd64')).toContain('libc6');
  expect(of('arm64')).toEqual(of('amd64'));
});

test.each([
  'libc6 2.36-9 amd64',
  'libc6 2.36-9 riscv64 ba4f88f73dbc3ae9055f3c20f4523bfdbaf1ad13ff95e258924f77d20b4fbedf',
  'libc6 * amd64 ba4f88f73dbc3ae9055f3c20f4523bfdbaf1ad13ff95e258924f77d20b4fbedf',
  '-o=x 1 amd64 ba4f88f73dbc3ae9055f3c20f4523bfdbaf1ad13ff95e258924f77d20b4fbedf',
])('a line that pins nothing is refused: %s', (line) => {
  expect(() => parseLock(line)).toThrow(/cannot read/);
});
