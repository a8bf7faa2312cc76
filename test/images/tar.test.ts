import { execFileSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { tar } from '../../tools/images/tar.ts';
import { file, type Tree } from '../../tools/images/tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'tar-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const LONG = `${'folder/'.repeat(25)}file`;

test('what tar unpacks is the tree', () => {
  const tree: Tree = new Map([
    ['usr/bin/program', file(Buffer.alloc(1000, 7), 0o755)],
    ['etc/empty', file('')],
    [LONG, file('deep')],
    ['usr/bin/link', { kind: 'link', target: '../../etc/empty' }],
    ['proc', { kind: 'folder' }],
  ]);
  execFileSync('tar', ['--extract', '--preserve-permissions', '--directory', folder], { input: tar(tree) });
  expect(readFileSync(join(folder, 'usr/bin/program'))).toEqual(Buffer.alloc(1000, 7));
  expect(readFileSync(join(folder, LONG), 'utf8')).toBe('deep');
  expect(readlinkSync(join(folder, 'usr/bin/link'))).toBe('../../etc/empty');
  const modes = ['usr/bin/program', 'etc/empty', 'etc', 'proc'].map(
    (path) => lstatSync(join(folder, path)).mode & 0o7777,
  );
  expect(modes).toEqual([0o755, 0o644, 0o755, 0o755]);
  expect(lstatSync(join(folder, 'etc/empty')).mtimeMs).toBe(0);
});

test('the order in which a tree was made does not show', () => {
  const entries = [
    ['b', file('2')],
    ['a/z', file('1')],
    ['a.b', file('3')],
  ] as const;
  expect(tar(new Map(entries))).toEqual(tar(new Map([...entries].reverse())));
});

test('a path that has no room is refused', () => {
  expect(() => tar(new Map([['x'.repeat(120), file('')]]))).toThrow(/no room/);
  expect(() => tar(new Map([[`${'x/'.repeat(140)}y`, file('')]]))).toThrow(/no room/);
});
