import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readUserFile } from '../../client/read-user-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'user-file-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a file is read to its end, a pipe too', () => {
  const file = join(folder, 'file');
  writeFileSync(file, 'x'.repeat(100_000));
  expect(readUserFile(file).toString()).toBe('x'.repeat(100_000));
  const program = `import { readUserFile } from '${join(process.cwd(), 'client/read-user-file.ts')}'; console.log(readUserFile('/dev/stdin').length)`;
  const script = `cat ${file} | ${process.execPath} --input-type=module-typescript -e "${program}"`;
  expect(execFileSync('bash', ['-c', script], { encoding: 'utf8' })).toBe('100000\n');
});

const large = join(folder, 'large');
writeFileSync(large, Buffer.alloc(1024 * 1024 + 1));
const silent = join(folder, 'pipe');
execFileSync('mkfifo', [silent]);

test.each([
  ['a device', '/dev/zero', 'not-a-file'],
  ['a folder', folder, 'not-a-file'],
  ['a large file', large, 'file-too-large'],
  ['a pipe that nobody writes to', silent, 'pipe-silent'],
])('%s is refused, with its name', (_, path, code) => {
  expect(() => readUserFile(path)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(path) }),
  );
});
