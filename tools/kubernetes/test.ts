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

/** Suites at a time: each waits for processes as often as it computes. */
const AT_A_TIME = 2;
/** Begun first: they take longest. */
const SLOW = /\/(kill|agent-kill|failover)/;

const [bin, ...chosen] = process.argv.slice(2);
if (bin === undefined) {
  console.error('usage: tools/kubernetes/test.sh [FILE...]   (a part of a name is enough)');
  process.exit(2);
}
const interrupted = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => interrupted.abort());

let passed = 0;
let failed = 0;
const waiting = apiServerSuites()
  .filter(({ file }) => chosen.length === 0 || chosen.some((part) => file.includes(part)))
  .sort((a, b) => Number(SLOW.test(b.file)) - Number(SLOW.test(a.file)));
await Promise.all(Array.from({ length: AT_A_TIME }, () => runAll(bin)));
if (interrupted.signal.aborted) process.exit(130);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);

async function runAll(bin: string): Promise<void> {
  for (let suite = waiting.shift(); suite && !interrupted.signal.aborted; suite = waiting.shift()) {
    const begun = performance.now();
    const result = await run(bin, suite);
    passed += result.passed;
    failed += result.failed;
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    console.log(`${suite.file}: ${result.passed} passed, ${result.failed} failed in ${seconds} s`);
    if (result.failed > 0) console.log(result.output);
  }
}

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
