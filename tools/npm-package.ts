import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One version of an npm package, as a lock file pins it. */
export interface PinnedPackage {
  readonly name: string;
  readonly version: string;
  /** `sha512-` and the archive's digest in base64. */
  readonly integrity: string;
}

/**
 * Has npm put the package's archive into the folder, without installing it. Answers the archive's path.
 * @throws Error when npm fails (it says why itself) or gives other bytes than those pinned.
 */
export function fetchNpmPackage({ name, version, integrity }: PinnedPackage, folder: string): string {
  const npm = fileURLToPath(new URL('npm.sh', import.meta.url));
  const options = ['--ignore-scripts', '--loglevel=error', '--pack-destination', folder];
  execFileSync(npm, ['pack', `${name}@${version}`, ...options], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const archive = join(folder, `${name.replace(/^@/, '').replace('/', '-')}-${version}.tgz`);
  const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (found !== integrity) throw new Error(`${name}@${version}: npm gave ${found}, pinned is ${integrity}`);
  return archive;
}
