import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { architecture } from '../../../tools/images/architecture.ts';
import { cacheFolder } from '../../../tools/images/cache-folder.ts';
import { readLock } from '../../../tools/images/debian-lock.ts';
import { debFile } from '../../../tools/images/debian-packages.ts';

/** The newest commit, elsewhere, for somebody else: another folder, umask, temporary folder, language and cache. */
test('a clone of the commit, which this checkout must be as well, gives the same digests and SBOMs', () => {
  const changed = execFileSync('git', ['status', '--porcelain', '--untracked-files=no'], {
    encoding: 'utf8',
  });
  expect(changed).toBe('');
  const folder = mkdtempSync(join(tmpdir(), 'reproducible-'));
  try {
    const clone = join(folder, 'a/deeper/clone');
    execFileSync('git', ['clone', '--quiet', '.', clone]);
    cpSync('node_modules', join(clone, 'node_modules'), { recursive: true, verbatimSymlinks: true });
    mkdirSync(join(folder, 'temporary'));
    execFileSync('bash', ['-c', 'umask 077; node tools/build.ts && node tools/images/main.ts'], {
      cwd: clone,
      env: {
        ...process.env,
        TMPDIR: join(folder, 'temporary'),
        XDG_CACHE_HOME: join(folder, 'cache'),
        LC_ALL: 'C',
        TZ: 'Asia/Tokyo',
      },
    });
    const results = ['images.json', 'values.yaml', 'enclave-front.cdx.json', 'enclave-sidecar.tar'];
    for (const name of results)
      expect(
        readFileSync(join(clone, 'dist/images', name)).equals(readFileSync(join('dist/images', name))),
        name,
      ).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a version that the archive does not serve, or serves with other bytes, ends the build', () => {
  const [, locked] = readLock(architecture());
  if (locked === undefined) throw new Error('the lock is empty');
  const sha256 = '0'.repeat(64);
  expect(() => debFile({ ...locked, version: '0.0.1-1', sha256 }, cacheFolder())).toThrow(/make images-lock/);
  expect(() => debFile({ ...locked, sha256 }, cacheFolder())).toThrow(/another SHA-256/);
});
