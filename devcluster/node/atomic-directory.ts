import {
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, normalize } from 'node:path';

export interface VolumeFile {
  readonly bytes: Uint8Array;
  readonly mode: number;
}

/**
 * Writes the files of a volume so that a reader sees all old or all new ones, in the layout a kubelet uses: the files
 * stand in a dated folder, `..data` points at it and changes by rename, and each first path segment is a link
 * through `..data`.
 */
export function writeAtomically(directory: string, files: ReadonlyMap<string, VolumeFile>): void {
  mkdirSync(directory, { recursive: true });
  const old = currentFolder(directory);
  const fresh = `..${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`;
  const names = new Set<string>();
  mkdirSync(join(directory, fresh));
  for (const [path, file] of files) {
    const clean = normalize(path);
    if (clean.startsWith('..') || clean.startsWith('/'))
      throw new Error(`volume path ${path} leaves its volume`);
    mkdirSync(dirname(join(directory, fresh, clean)), { recursive: true });
    writeFileSync(join(directory, fresh, clean), file.bytes, { mode: file.mode });
    names.add(clean.split('/')[0] ?? clean);
  }
  const link = join(directory, '..data_tmp');
  rmSync(link, { force: true });
  symlinkSync(fresh, link);
  renameSync(link, join(directory, '..data'));
  for (const entry of readdirSync(directory))
    if (!entry.startsWith('..') && !names.has(entry)) rmSync(join(directory, entry), { force: true });
  const present = new Set(readdirSync(directory));
  for (const name of names) if (!present.has(name)) symlinkSync(join('..data', name), join(directory, name));
  if (old !== undefined) rmSync(join(directory, old), { recursive: true, force: true });
}

function currentFolder(directory: string): string | undefined {
  try {
    return readlinkSync(join(directory, '..data'));
  } catch {
    return undefined;
  }
}
