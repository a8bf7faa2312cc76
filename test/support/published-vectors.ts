import { readdirSync, readFileSync } from 'node:fs';
import type { Vector } from './vector.ts';

const folder = new URL('../vectors/evidence/', import.meta.url);

/** The files of test/vectors/evidence by name, as anybody reads them. */
export function publishedVectors(): ReadonlyMap<string, Vector> {
  return new Map(
    readdirSync(folder).map((file) => [
      file.replace(/\.json$/, ''),
      JSON.parse(readFileSync(new URL(file, folder), 'utf8')),
    ]),
  );
}
