import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { explain } from '../platform/run/explain.ts';
import type { Devcluster } from './app.ts';

/**
 * Obeys lines until the input ends: what a test does to a cluster from outside. Each is answered by one line of JSON, `{"done": line}` or
 * `{"error": "..."}`.
 */
export async function obeyCommands(
  cluster: Devcluster,
  input: Readable,
  answer: (line: string) => void,
): Promise<void> {
  for await (const line of createInterface({ input }))
    try {
      await obey(cluster, line.trim());
      answer(JSON.stringify({ done: line.trim() }));
    } catch (error) {
      answer(JSON.stringify({ error: explain(error) }));
    }
}

async function obey({ plane, tpms }: Devcluster, line: string): Promise<void> {
  const [verb = '', name = ''] = line.split(' ');
  if (verb === 'suspend-api' || verb === 'resume-api') {
    if (plane.own === undefined) throw new Error('the API server is not ours');
    await (verb === 'suspend-api' ? plane.own.suspend() : plane.own.resume());
    return;
  }
  const tpm = tpms.get(name);
  if (verb !== 'stop-tpm' && verb !== 'start-tpm') throw new Error(`unknown command: ${line}`);
  if (tpm === undefined) throw new Error(`no TPM on a node named ${name}`);
  await (verb === 'stop-tpm' ? tpm.stop() : tpm.restart());
}
