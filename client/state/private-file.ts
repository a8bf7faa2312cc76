import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeFileAtomic } from '../../platform/files/write-file-atomic.ts';

/** Writes a file that only its owner can read, whole or not at all; folders on the way are made with mode 0700. */
export function writePrivate(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileAtomic(path, content, 0o600);
}

export function removeFile(path: string): void {
  rmSync(path, { force: true });
}
