/**
 * `node tools/kubernetes/test.ts BIN [FILE...]`: runs every suite that talks to an API server, each against an etcd and kube-apiserver
 * of its own, and ends with `N passed, N failed`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKubernetes } from './kubernetes.ts';
import { runSuite, type SuiteResult } from './run-suite.ts';
import { apiServerSuites, type Suite } from './suites.ts';

const [bin, ...chosen] = process.argv.slice(2);
if (bin === undefined) {
  console.error('usage: tools/kubernetes/test.sh [FILE...]   (a part of a name is enough)');
  process.exit(2);
}
const interrupted = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => interrupted.abort());

let passed = 0;
let failed = 0;
const suites = apiServerSuites().filter(
  ({ file }) => chosen.length === 0 || chosen.some((part) => file.includes(part)),
);
for (const suite of suites) {
  if (interrupted.signal.aborted) break;
  const begun = performance.now();
  const result = await run(bin, suite);
  passed += result.passed;
  failed += result.failed;
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  console.log(`${suite.file}: ${result.passed} passed, ${result.failed} failed in ${seconds} s`);
  if (result.failed > 0) console.log(result.output);
}
if (interrupted.signal.aborted) process.exit(130);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);

async function run(bin: string, suite: Suite): Promise<SuiteResult> {
  const directory = mkdtempSync(join(tmpdir(), 'kube-'));
  const kubernetes = suite.takesKubeconfig ? await startKubernetes(bin, directory) : undefined;
  try {
    return await runSuite(suite.file, {
      env: {
        ENCLAVE_TEST_KUBERNETES_BIN: bin,
        ...(kubernetes && {
          ENCLAVE_TEST_KUBECONFIG: kubernetes.kubeconfig,
          ENCLAVE_TEST_CLIENT_CA: kubernetes.clientCa,
        }),
      },
      signal: interrupted.signal,
    });
  } finally {
    await kubernetes?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
