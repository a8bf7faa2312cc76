/** `node tools/kubernetes/test.ts BIN [SUITE...]`: starts a kube-apiserver, runs the suites against it, ends with `N passed, N failed`. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKubernetes } from './kubernetes.ts';

/** Suites that do not care which API server they talk to. */
const SUITES = [
  'test/contract/api-server',
  'test/devcluster/node',
  'test/webhook/admission',
  'test/licensing/launcher',
  'test/e2e',
  'test/certs/attested',
  'test/certs/service',
];

const [bin, ...chosen] = process.argv.slice(2);
if (bin === undefined) {
  console.error('usage: tools/kubernetes/test.sh [SUITE...]');
  process.exit(2);
}
const directory = mkdtempSync(join(tmpdir(), 'kube-'));
const begun = performance.now();
const kubernetes = await startKubernetes(bin, directory);
console.log(`test-kube: kube-apiserver ready after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
const suites =
  chosen.length > 0 ? chosen : SUITES.filter((suite) => existsSync(suite) || existsSync(`${suite}.test.ts`));
const tests = spawn(process.execPath, ['tools/run-tests.ts', ...suites], {
  stdio: 'inherit',
  env: {
    ...process.env,
    ENCLAVE_TEST_KUBECONFIG: kubernetes.kubeconfig,
    // Suites that need a cluster of their own start one from these programs.
    ENCLAVE_TEST_KUBERNETES_BIN: bin,
  },
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => tests.kill(signal));
const code = await new Promise<number>((resolve) => tests.once('exit', (status) => resolve(status ?? 130)));
await kubernetes.stop();
rmSync(directory, { recursive: true, force: true });
process.exit(code);
