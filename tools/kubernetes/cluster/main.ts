/** `make cluster`, `make cluster-down`, and faults by hand. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { runningCluster, stopCluster } from './cluster.ts';
import { machineOf, shiftClock, startPart, stopPart } from './faults.ts';
import type { Layout } from './layout.ts';
import { type MakeOptions, makeOwnCluster, useExistingCluster } from './make-cluster.ts';
import { powerCut } from './power-cut.ts';

const USAGE = `usage: node_modules/.bin/node tools/kubernetes/cluster/main.ts
  up PROGRAMS             bring the cluster up, or the product on it up to date
  existing                the product on the cluster of KUBECONFIG
  is-up                   exit code 0 when it is up
  down                    end the cluster of \`up\`; nothing of it stays
  stop MACHINE PROGRAM    end one program: control etcd, node1 kubelet, ...
  start MACHINE PROGRAM   start it again
  power-cut               every node and the control plane end at once, and start again
  clock NODE [+SECONDSs]  agent and sidecars that start on the node are so far ahead
Environment: NODES (2), VALUES (a values file of your own).`;
const FOLDER = resolve('.cluster');
const INTERRUPTED = 130;
const [verb, first, second] = process.argv.slice(2);

const abort = new AbortController();

function options(): MakeOptions {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => abort.abort(new Error(`${name}: taking down what was started`)));
  const values = process.env['VALUES'];
  return { folder: FOLDER, values: values ? resolve(values) : undefined, signal: abort.signal };
}

function nodes(): number | undefined {
  const given = process.env['NODES'];
  if (!given) return undefined;
  const count = Number(given);
  if (!Number.isInteger(count) || count < 1 || count > 9) throw new Error('NODES is a number from 1 to 9');
  return count;
}

function cluster(): Layout {
  const at = runningCluster(FOLDER);
  if (at === undefined) throw new Error('no cluster is up: make cluster');
  return at;
}

async function run(): Promise<boolean> {
  if (verb === 'up' && first !== undefined) await makeOwnCluster(first, nodes(), options());
  else if (verb === 'existing')
    await useExistingCluster(process.env['KUBECONFIG'] || join(homedir(), '.kube/config'), options());
  else if (verb === 'is-up') process.exitCode = runningCluster(FOLDER) === undefined ? 1 : 0;
  else if (verb === 'down') await stopCluster(FOLDER);
  else if (verb === 'stop' && first && second) await stopPart(cluster(), first, second, 'SIGTERM');
  else if (verb === 'start' && first && second) startPart(cluster(), first, second);
  else if (verb === 'power-cut') await powerCut(cluster());
  else if (verb === 'clock' && first) shiftClock(machineOf(cluster(), first), second);
  else return false;
  return true;
}

try {
  if (!(await run())) {
    console.error(USAGE);
    process.exitCode = 2;
  }
} catch (error) {
  console.error(`cluster: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = abort.signal.aborted ? INTERRUPTED : 1;
}
process.exit();
