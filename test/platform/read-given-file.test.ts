import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readGivenFile } from '../../platform/files/read-given-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'given-file-'));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** A pipe by name, and a shell that does this with it as its standard output. */
function pipe(name: string, script: string): string {
  const path = join(folder, name);
  execFileSync('mkfifo', [path]);
  children.push(spawn('bash', ['-c', `exec > ${path}; ${script}`], { stdio: 'ignore' }));
  return path;
}

test('a pipe is read as its writer comes, writes and ends', () => {
  const path = pipe('slow', 'sleep 0.1; echo one; sleep 0.1; echo two');
  expect(readGivenFile(path).toString()).toBe('one\ntwo\n');
});

test('a writer that says nothing, or never ends, holds nobody', () => {
  const patience = { writer: 10_000, all: 300 };
  for (const path of [pipe('mute', 'sleep 60'), pipe('endless', 'echo some; sleep 60')])
    expect(() => readGivenFile(path, 100, patience)).toThrow(
      expect.objectContaining({ code: 'pipe-silent', message: expect.stringContaining(path) }),
    );
  expect(() => readGivenFile(pipe('flood', 'yes'), 100)).toThrow(
    expect.objectContaining({ code: 'file-too-large' }),
  );
});

test('a folder or a device is refused unread, and a file that is too large', () => {
  for (const path of [folder, '/dev/null', '/dev/zero'])
    expect(() => readGivenFile(path)).toThrow(expect.objectContaining({ code: 'not-a-file' }));
  const large = join(folder, 'large');
  writeFileSync(large, Buffer.alloc(101));
  expect(readGivenFile(large, 101)).toHaveLength(101);
  expect(() => readGivenFile(large, 100)).toThrow(expect.objectContaining({ code: 'file-too-large' }));
});
