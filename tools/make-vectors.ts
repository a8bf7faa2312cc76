import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FORGERIES } from '../test/support/tables/forgeries.ts';
import { makeVector } from '../test/support/vector.ts';

// Writes test/vectors/evidence anew from the table of forgeries: node tools/make-vectors.ts. The outcome is the
// same in every run, and a test compares.
const folder = fileURLToPath(new URL('../test/vectors/evidence/', import.meta.url));
const files = Object.entries(FORGERIES).map(
  ([name, forgery]) => [`${name}.json`, `${JSON.stringify(makeVector(forgery), null, 1)}\n`] as const,
);
mkdirSync(folder, { recursive: true });
for (const name of readdirSync(folder)) if (name.endsWith('.json')) rmSync(`${folder}${name}`);
for (const [name, text] of files) writeFileSync(`${folder}${name}`, text);
console.log(`${files.length} vectors`);
