/** What a sidecar costs a pod: memory while idle, time until it is attested. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from '../tools/bundle.ts';
import { idleMemory } from './sidecar-memory.ts';
import { startTimes } from './sidecar-start.ts';

export async function benchSidecar(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-sidecar-'));
  try {
    const directory = join(folder, 'sidecar');
    await bundle({ entry: 'sidecar/main.ts', directory, file: 'main', small: true });
    const main = join(directory, 'main.js');
    const { bare, ...modes } = await idleMemory(folder, main);
    console.log('| idle, anonymous memory | KB | of a bare `tls` and `http` listener | budget |');
    console.log('|---|---:|---:|---:|');
    console.log(`| bare listener | ${bare} | 1.00 | |`);
    for (const [mode, size] of Object.entries(modes))
      console.log(`| sidecar, mode ${mode} | ${size} | ${(size / bare).toFixed(2)} | 1.20 |`);
    const { total, tpm, parts } = await startTimes(folder, main);
    console.log('\n| exec to attested | ms |');
    console.log('|---|---:|');
    for (const [name, ms] of Object.entries(parts)) console.log(`| ${name} | ${ms.toFixed(0)} |`);
    console.log(`| all of it | ${total.toFixed(0)} |`);
    console.log(`| of it in the TPM (swtpm), by the agent’s metric | ${tpm.toFixed(0)} |`);
    console.log(`| without the TPM (budget: 250) | ${(total - tpm).toFixed(0)} |`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
