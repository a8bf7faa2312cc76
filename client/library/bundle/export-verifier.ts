import { readFileSync } from 'node:fs';
import type { ExportFiles } from './export-files.ts';

/** The verifier for auditors, shipped as it stands: verify.sh and what it runs. */
const VERIFIER = [
  'verify.sh',
  ...[
    ...['__main__', 'certificate', 'chain', 'claims', 'der', 'disk', 'documents'],
    ...['files', 'inputs', 'json_shape', 'quote', 'tpm'],
  ].map((module) => `verifier/${module}.py`),
];
/** Beside this module in the sources, and beside the bundle that `make build` makes of it. */
export function verifierFiles(): ExportFiles {
  const folder = new URL('./export/', import.meta.url);
  return Object.fromEntries(VERIFIER.map((name) => [name, readFileSync(new URL(name, folder))]));
}
