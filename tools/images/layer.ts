import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { gzipSync } from 'fflate';
import fflate from 'fflate/package.json' with { type: 'json' };
import { tar } from './tar.ts';
import type { Tree } from './tree.ts';

export interface Layer {
  readonly compressed: Buffer;
  /** Of the tar: `sha256:` and hex, as all digests here. */
  readonly diffId: string;
  readonly digest: string;
}

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/**
 * A tree as a gzip layer. The compressor is one in JavaScript: that of Node chooses its hash function by the processor it runs on, and so its output.
 * It is slow, so that what it made is kept in the cache folder under the tar's digest.
 */
export function layer(tree: Tree, cache: string): Layer {
  const bytes = tar(tree);
  const diffId = digestOf(bytes);
  const kept = join(cache, `${diffId.slice(7)}.fflate-${fflate.version}.gz`);
  const known = existsSync(kept) ? readFileSync(kept) : undefined;
  if (known !== undefined && unpacksTo(known, diffId))
    return { compressed: known, diffId, digest: digestOf(known) };
  const compressed = Buffer.from(gzipSync(bytes, { level: 9, mtime: 0 }));
  mkdirSync(cache, { recursive: true });
  writeFileSync(`${kept}.${process.pid}`, compressed);
  renameSync(`${kept}.${process.pid}`, kept);
  return { compressed, diffId, digest: digestOf(compressed) };
}

function unpacksTo(compressed: Buffer, diffId: string): boolean {
  try {
    return digestOf(gunzipSync(compressed)) === diffId;
  } catch {
    return false;
  }
}
