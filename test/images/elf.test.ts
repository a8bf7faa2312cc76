import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readElf, stripElf } from '../../tools/images/elf.ts';

const node = readFileSync(realpathSync(process.execPath));

test('Node.js names its libraries and its dynamic linker', () => {
  const { interpreter, needed } = readElf(node);
  expect(interpreter).toMatch(/^\/lib.*\/ld-linux-/);
  expect(needed).toEqual(expect.arrayContaining(['libc.so.6', 'libstdc++.so.6', 'libgcc_s.so.1']));
});

test('stripped it is smaller and runs, and stripping again changes nothing', () => {
  const stripped = stripElf(node);
  expect(stripped.length).toBeLessThan(node.length);
  // Not toEqual: it would compare a hundred million numbers.
  expect(Buffer.compare(stripElf(stripped), stripped)).toBe(0);
  const folder = mkdtempSync(join(tmpdir(), 'elf-'));
  try {
    writeFileSync(join(folder, 'node'), stripped, { mode: 0o755 });
    const told = execFileSync(join(folder, 'node'), ['-p', 'process.version'], { encoding: 'utf8' });
    expect(told.trim()).toBe(process.version);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('other files are refused', () => {
  expect(() => readElf(Buffer.from('#!/bin/sh\n'))).toThrow(/ELF/);
});
