import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Swtpm } from './swtpm.ts';

const run = promisify(execFile);

/** Debian package tpm2-tools, on a TPM of the test. swtpm serves one connection at a time: ours must be closed. */
export interface Tpm2Tools {
  /** Runs a tool without the prefix `tpm2_`; its standard output. Throws what it says on standard error. */
  run(tool: string, ...args: string[]): Promise<string>;
  /** A file in the TPM's folder, for arguments. */
  path(name: string): string;
  write(name: string, content: Uint8Array | string): Promise<string>;
  read(name: string): Promise<Uint8Array>;
}

export function tpm2Tools(swtpm: Swtpm): Tpm2Tools {
  const env = { ...process.env, TPM2TOOLS_TCTI: `swtpm:path=${swtpm.socket}` };
  const path = (name: string): string => join(swtpm.folder, name);
  return {
    path,
    run: async (tool, ...args) => (await run(`tpm2_${tool}`, args, { env })).stdout,
    write: async (name, content) => {
      await writeFile(path(name), content);
      return path(name);
    },
    read: async (name) => new Uint8Array(await readFile(path(name))),
  };
}
