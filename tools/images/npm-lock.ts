import { readFileSync } from 'node:fs';

export interface LockedPackage {
  readonly version: string;
  /** Subresource integrity of the tarball: `sha512-` and base64. */
  readonly integrity: string;
  /** SPDX expression as the package states it. */
  readonly license: string;
}

interface LockFile {
  readonly packages: Readonly<Record<string, Partial<LockedPackage>>>;
}

const lock: LockFile = JSON.parse(readFileSync('package-lock.json', 'utf8'));

/** The entry of package-lock.json for a path under the checkout, like `node_modules/pino`. Throws if there is none. */
export function lockedPackage(path: string): LockedPackage {
  const { version, integrity, license } = lock.packages[path] ?? {};
  if (version === undefined || integrity === undefined)
    throw new Error(`package-lock.json has no ${path}: run make setup`);
  return { version, integrity, license: license ?? 'NOASSERTION' };
}
