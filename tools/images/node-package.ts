import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Architecture } from './architecture.ts';
import { lockedPackage } from './npm-lock.ts';

/** Folder of the npm package that holds Node.js for the architecture: the installed one, or for another machine's the one that npm packs. */
export function nodePackage(arch: Architecture, cache: string): string {
  const name = `node-linux-${arch.npm}`;
  const installed = join('node_modules', name);
  if (existsSync(join(installed, 'bin/node'))) return installed;
  const { version, integrity } = lockedPackage(installed);
  const kept = join(cache, 'node', `${name}-${version}`);
  if (existsSync(kept)) return kept;
  mkdirSync(join(cache, 'node'), { recursive: true });
  const folder = mkdtempSync(join(cache, 'node', '.fetch-'));
  try {
    execFileSync('npm', ['pack', '--silent', `${name}@${version}`, '--pack-destination', folder]);
    const file = join(folder, `${name}-${version}.tgz`);
    const found = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
    if (found !== integrity)
      throw new Error(`${name}@${version}: npm gave ${found}, package-lock.json has ${integrity}`);
    execFileSync('tar', ['--extract', '--no-same-owner', '--file', file, '--directory', folder]);
    renameSync(join(folder, 'package'), kept);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return kept;
}
