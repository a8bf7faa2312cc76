import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fetchNpmPackage } from '../npm-package.ts';
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
    const file = fetchNpmPackage({ name, version, integrity }, folder);
    execFileSync('tar', ['--extract', '--no-same-owner', '--file', file, '--directory', folder]);
    renameSync(join(folder, 'package'), kept);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return kept;
}
