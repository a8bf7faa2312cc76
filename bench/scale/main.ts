/**
 * `make bench-scale`: the product on ten simulated nodes and a real API server, from ten enclaves to five hundred. Figures, never verdicts.
 * `bench/scale/run.sh --sizes 10,25` ends earlier; `--in-flight` is how many users wait for a launch at a time.
 */
import { parseArgs } from 'node:util';
import { writeCharts } from './charts.ts';
import { metricTargets } from './component-metrics.ts';
import type { RunningEnclave } from './crowd.ts';
import { extrapolationTable } from './extrapolation.ts';
import { tryFaults } from './faults.ts';
import { grow, type Stage } from './growth.ts';
import { lastComplaints } from './last-complaints.ts';
import { startScaleWorld } from './scale-world.ts';
import { faultTables, growthTables } from './tables.ts';

const { values } = parseArgs({
  options: {
    /** Folder of etcd and kube-apiserver: what tools/kubernetes/build.sh prints. */
    bin: { type: 'string', default: '' },
    nodes: { type: 'string', default: '10' },
    sizes: { type: 'string', default: '10,25,50,100,250,500' },
    'in-flight': { type: 'string', default: '16' },
    'rest-seconds': { type: 'string', default: '10' },
    /** At the last size: a storm of questions, and what goes wrong. */
    faults: { type: 'boolean', default: false },
    /** Folder for the curves. */
    charts: { type: 'string' },
  },
});
const sizes = values.sizes.split(',').map(Number);
const world = await startScaleWorld({ nodes: Number(values.nodes), users: 20, seats: 1000, bin: values.bin });
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void world.stop().finally(() => process.exit(130)));
try {
  const targets = await metricTargets(world.environment);
  const running: RunningEnclave[] = [];
  const stages: Stage[] = [];
  const options = {
    sizes,
    inFlight: Number(values['in-flight']),
    restMs: Number(values['rest-seconds']) * 1000,
  };
  await grow(world, targets, options, running, (stage) => {
    stages.push(stage);
    console.error(
      `${stage.size} enclaves: ${(stage.launched / stage.growing.seconds).toFixed(1)} launches a second`,
    );
  });
  console.log(growthTables(stages));
  console.log(`\n${extrapolationTable(stages, 5000)}`);
  if (values.charts !== undefined) writeCharts(stages, values.charts);
  if (values.faults) {
    const report = await tryFaults(world, targets, running, options.inFlight, ({ name, seconds }) =>
      console.error(`${name}: ${seconds.toFixed(1)} s`),
    );
    console.log(`\n${faultTables(report)}`);
  }
} catch (error) {
  console.error(await lastComplaints(world.environment));
  throw error;
} finally {
  await world.stop();
}
