/** `node tools/kubernetes/cluster/main.ts up PROGRAMS | down | is-up`: `make cluster` and `make cluster-down`. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { PROFILE } from '../../demo/operator.ts';
import { runningCluster, startCluster, stopCluster } from './cluster.ts';
import { loadImages } from './images.ts';
import { install } from './installation.ts';
import { FRONT_NODE_PORT, layout } from './layout.ts';
import { chartValues, FRONT_STORAGE, frontVolume } from './values.ts';

const FOLDER = resolve('.cluster');
/** The operator's own values file, if there is one. */
const VALUES = process.env['VALUES'] ? [resolve(process.env['VALUES'])] : [];
const [verb, programs] = process.argv.slice(2);

const begun = performance.now();
const say = (line: string): void =>
  console.log(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}`);

async function up(bin: string): Promise<number> {
  const abort = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => abort.abort(new Error(`${name}: taking down what was started`)));
  const nodes = Number(process.env['NODES'] ?? '2');
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > 9) throw new Error('NODES is a number from 1 to 9');
  const running = runningCluster(FOLDER);
  const at = running ?? layout(FOLDER, nodes);
  try {
    if (running === undefined) {
      // What an earlier start left, if it could not clean up itself.
      await stopCluster(FOLDER);
      await startCluster({ layout: at, programs: bin, say, signal: abort.signal });
    }
    say(`${await loadImages(at.nodes, resolve('dist/images'))} images loaded`);
    abort.signal.throwIfAborted();
    mkdirSync(join(at.nodes[0]?.folder ?? '', FRONT_STORAGE), { recursive: true });
    const settings = await install({
      folder: FOLDER,
      kubeconfig: at.kubeconfig,
      values: chartValues(at),
      valuesFiles: VALUES,
      objects: [frontVolume(at)],
      frontAddress: `${at.nodes[0]?.address}:${FRONT_NODE_PORT}`,
      say,
      signal: abort.signal,
    });
    for (const [name, value] of Object.entries({ KUBECONFIG: at.kubeconfig, ...settings }))
      console.log(`export ${name}=${value}`);
    console.log(
      `\nin any shell:  . .cluster/env; enclavectl init; enclavectl signup NAME; enclavectl launch ${PROFILE}`,
    );
    return 0;
  } catch (error) {
    console.error(`cluster: ${error instanceof Error ? error.message : String(error)}`);
    if (abort.signal.aborted) {
      if (running === undefined) await stopCluster(FOLDER);
      return 130;
    }
    if (runningCluster(FOLDER) !== undefined)
      console.error(
        `the cluster stays up to look at (KUBECONFIG=${at.kubeconfig}); make cluster-down ends it`,
      );
    return 1;
  }
}

if (verb === 'up' && programs !== undefined) process.exit(await up(programs));
else if (verb === 'down') await stopCluster(FOLDER);
else if (verb === 'is-up') process.exit(runningCluster(FOLDER) === undefined ? 1 : 0);
else {
  console.error('usage: node tools/kubernetes/cluster/main.ts up PROGRAMS | down | is-up');
  process.exit(2);
}
