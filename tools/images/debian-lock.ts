import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Architecture, architecture } from './architecture.ts';

/** One line of debian.lock: `name version architecture sha256`. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: Architecture['oci'];
  /** Of the .deb, in hex. */
  readonly sha256: string;
}

export const LOCK_FILE = fileURLToPath(new URL('debian.lock', import.meta.url));
const LINE = /^([a-z0-9][a-z0-9+.-]+) ([0-9][A-Za-z0-9.+:~-]*) (amd64|arm64) ([0-9a-f]{64})$/;

/** Throws for a line that is neither a package nor a comment. */
export function parseLock(text: string): DebianPackage[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name, version, arch, sha256] = LINE.exec(line) ?? [];
      if (name === undefined || version === undefined || sha256 === undefined)
        throw new Error(`tools/images/debian.lock: cannot read: ${line}`);
      return { name, version, architecture: architecture(arch).oci, sha256 };
    });
}

export function printLock(packages: readonly DebianPackage[]): string {
  const lines = packages.map(
    ({ name, version, architecture, sha256 }) => `${name} ${version} ${architecture} ${sha256}`,
  );
  return `# Debian packages that the images take libraries from: name, version, architecture, SHA-256. Written by make images-lock.\n${lines.join('\n')}\n`;
}

export function readLock(arch: Architecture): DebianPackage[] {
  return parseLock(readFileSync(LOCK_FILE, 'utf8')).filter(({ architecture }) => architecture === arch.oci);
}
