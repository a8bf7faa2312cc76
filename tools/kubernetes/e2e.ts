/**
 * `node tools/kubernetes/e2e.ts [PART...]`: the end-to-end suites on the installed product, each in a process of its own; ends with
 * `N passed, N failed`. They run on the cluster's network, where pods have addresses; those named `outside` run where users are. All that
 * each said is in dist/e2e.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { runningCluster } from './cluster/cluster.ts';
import { firstProcess } from './cluster/machine.ts';
import { installOn } from './cluster/make-cluster.ts';
import { runSuite } from './run-suite.ts';
import { installedSuites } from './suites.ts';

const folder = resolve('.cluster');
const cluster = runningCluster(folder);
const control = cluster && firstProcess(cluster.control);
if (cluster === undefined || control === undefined) {
  console.error('e2e: no cluster is up in .cluster: run make cluster');
  process.exit(2);
}
/** As make cluster was given them. */
const values = process.env['VALUES'] ? resolve(process.env['VALUES']) : undefined;
const chosen = process.argv.slice(2);
const interrupted = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => interrupted.abort());

/** Of the archives that the cluster runs; the others over dist/images need containerd or buildah of their own. */
const IMAGES = ['test/images/built/archives.test.ts', 'test/images/built/sbom.test.ts'];
/** Counts what the others made the components ask of the API server. */
const LAST = 'test/installed/rights.test.ts';
const suites = [...installedSuites(), ...IMAGES];
/** First what waits most: in CI others compute meanwhile. */
const FIRST = 'test/installed/faults.test.ts';
const rank = (file: string): number => (file === FIRST ? 0 : file === LAST ? 2 : 1);

/** They take the installation apart; helm puts it together again. */
const APART = ['test/e2e/bypass.test.ts', 'test/e2e/doctor.test.ts', 'test/installed/faults.test.ts'];

const LOGS = 'dist/e2e';
mkdirSync(LOGS, { recursive: true });

let passed = 0;
let failed = 0;
for (const file of suites.sort((a, b) => rank(a) - rank(b))) {
  if (chosen.length > 0 && !chosen.some((part) => file.includes(part))) continue;
  if (interrupted.signal.aborted) process.exit(130);
  const begun = performance.now();
  const result = await runSuite(file, {
    env: { ENCLAVE_TEST_INSTALLED: folder },
    signal: interrupted.signal,
    under:
      file.includes('outside') || IMAGES.includes(file) ? [] : ['nsenter', `--net=/proc/${control}/ns/net`],
  });
  passed += result.passed;
  failed += result.failed;
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  console.log(`${file}: ${result.passed} passed, ${result.failed} failed in ${seconds} s`);
  writeFileSync(join(LOGS, `${basename(file, '.test.ts')}.log`), result.output);
  // What it measured is a table.
  const table = result.output.match(/^\|.*\|$/gm)?.join('\n');
  if (result.failed > 0) console.log(result.output);
  else if (table !== undefined) console.log(table);
  if (APART.includes(file)) await installOn(cluster, { folder, values, signal: interrupted.signal });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
