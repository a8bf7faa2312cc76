import { existsSync } from 'node:fs';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import { usage } from '../failure.ts';
import { readBundle } from './verify-command.ts';
import { enclaves, type Workspace } from './workspace.ts';

/** A bundle from a file, a folder that `bundle export` wrote, or the id of an enclave whose bundle is kept. @throws Failure */
export function bundleFrom(workspace: Workspace, source: string): Bundle {
  if (existsSync(source)) return readBundle(source);
  const store = enclaves(workspace);
  const kept = store.ids().includes(source) ? store.bundle(source) : undefined;
  if (kept !== undefined) return kept;
  throw usage(
    'bundle-unknown',
    `${source} is no file, and no bundle of an enclave of that id is kept here`,
    'give a bundle.json, a folder that bundle export wrote, or an id of enclavectl ls',
  );
}
