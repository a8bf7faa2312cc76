import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface ImageConfiguration {
  readonly config: Readonly<Record<string, unknown>>;
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

export interface Written {
  readonly reference: string;
  readonly tag: string;
  readonly digest: string;
  readonly compressedBytes: number;
}

/** dist/images/images.json of the last `make images`. */
export const WRITTEN: Readonly<Record<string, Written>> = JSON.parse(
  readFileSync('dist/images/images.json', 'utf8'),
);
export const NAMES = Object.keys(WRITTEN);

/** A file of an archive, read with the system's tar. */
export function member(archive: string, path: string): Buffer {
  return execFileSync('tar', ['--extract', '--to-stdout', '--file', archive, path], {
    maxBuffer: 2 ** 28,
  });
}

export function blob(archive: string, digest: string): Buffer {
  return member(archive, `blobs/sha256/${digest.slice('sha256:'.length)}`);
}

export function manifestOf(name: string): Manifest {
  return JSON.parse(blob(archiveOf(name), WRITTEN[name]?.digest ?? '').toString());
}

export function configurationOf(name: string): ImageConfiguration {
  return JSON.parse(blob(archiveOf(name), manifestOf(name).config.digest).toString());
}

export function archiveOf(name: string): string {
  return `dist/images/${name}.tar`;
}
