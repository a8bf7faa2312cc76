import { chmodSync, lutimesSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { complete, type Tree } from './tree.ts';

/** The tree as a folder, where nothing of its files may be yet: modes and times as in a layer, owner whoever writes it. */
export function writeTree(tree: Tree, folder: string): void {
  mkdirSync(folder, { recursive: true });
  const entries = complete(tree);
  for (const [path, entry] of entries) {
    const to = join(folder, path);
    if (entry.kind === 'folder') mkdirSync(to, { recursive: true });
    else if (entry.kind === 'link') symlinkSync(entry.target, to);
    else writeFileSync(to, entry.content);
    // The umask has no say.
    if (entry.kind !== 'link') chmodSync(to, entry.kind === 'file' ? entry.mode : 0o755);
  }
  // Writing into a folder changes its time.
  for (const [path] of entries.reverse()) lutimesSync(join(folder, path), 0, 0);
}
