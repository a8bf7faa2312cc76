/** `node tools/kubernetes/up.ts BIN [DIR]`: a kube-apiserver to look at, until Ctrl-C. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKubernetes } from './kubernetes.ts';

const [bin, given] = process.argv.slice(2);
if (bin === undefined) {
  console.error(
    'usage: node_modules/.bin/node tools/kubernetes/up.ts BIN [DIR]   (BIN: what tools/kubernetes/build.sh prints)',
  );
  process.exit(2);
}
const directory = given ?? mkdtempSync(join(tmpdir(), 'kube-'));
const ended = new Promise<void>((resolve) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve());
});
const kubernetes = await startKubernetes(bin, directory);
console.log(
  JSON.stringify({ url: kubernetes.url, kubeconfig: kubernetes.kubeconfig, clientCa: kubernetes.clientCa }),
);
await ended;
await kubernetes.stop();
if (given === undefined) rmSync(directory, { recursive: true, force: true });
process.exit(0);
