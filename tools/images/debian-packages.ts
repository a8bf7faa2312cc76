import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explain } from '../../platform/run/explain.ts';
import { Apt } from './apt.ts';
import { ARCHITECTURES } from './architecture.ts';
import type { DebianPackage } from './debian-lock.ts';

/** Packages whose libraries the images hold: what Node.js is linked with, and the name of the distribution for scanners. */
const NAMES = ['base-files', 'gcc-12-base', 'libc6', 'libgcc-s1', 'libstdc++6'] as const;

/** The .deb of a locked package, from the cache folder or by apt. Throws if it cannot be had with that version and that hash. */
export function debFile(locked: DebianPackage, cache: string): string {
  const kept = join(cache, 'debs', `${locked.sha256}.deb`);
  if (existsSync(kept) && sha256(kept) === locked.sha256) return kept;
  mkdirSync(join(cache, 'debs'), { recursive: true });
  const folder = mkdtempSync(join(cache, 'debs', '.fetch-'));
  try {
    const fetched = join(folder, fetch(locked, cache, folder));
    if (sha256(fetched) !== locked.sha256)
      throw new Error(
        `${locked.name} ${locked.version} ${locked.architecture} is served with another SHA-256 than tools/images/debian.lock has: find out why before you run make images-lock`,
      );
    renameSync(fetched, kept);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return kept;
}

/** The lists may be missing, or older than the lock. */
function fetch(locked: DebianPackage, cache: string, folder: string): string {
  const apt = new Apt(join(cache, 'apt'), locked.architecture);
  try {
    apt.download(locked.name, locked.version, folder);
  } catch {
    apt.update();
    try {
      apt.download(locked.name, locked.version, folder);
    } catch (error) {
      throw new Error(
        `apt has no ${locked.name} ${locked.version} for ${locked.architecture} any more; make images-lock writes the present versions into tools/images/debian.lock (${explain(error)})`,
      );
    }
  }
  const [deb] = readdirSync(folder);
  if (deb === undefined) throw new Error(`apt left no file of ${locked.name}`);
  return deb;
}

/** Unpacks packages into one folder, which the callback reads and which is gone afterwards. */
export function withUnpacked<T>(debs: readonly string[], use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'enclave-images-'));
  try {
    for (const deb of debs) execFileSync('dpkg-deb', ['--extract', deb, folder]);
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the archive serves now, for every architecture. */
export function presentPackages(cache: string): DebianPackage[] {
  return ARCHITECTURES.flatMap(({ oci }) => {
    const apt = new Apt(join(cache, 'apt'), oci);
    apt.update();
    return NAMES.map((name) => {
      const fields = apt.show(name);
      const [version, sha256] = [fields.get('Version'), fields.get('SHA256')];
      if (version === undefined || sha256 === undefined) throw new Error(`apt has no ${name} for ${oci}`);
      return { name, version, architecture: oci, sha256 };
    });
  });
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** The control file of a .deb. */
export function controlFields(deb: string): string {
  return execFileSync('dpkg-deb', ['--field', deb], { encoding: 'utf8' });
}
