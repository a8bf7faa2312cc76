/** What goes wrong at full size, and how long it takes until all is well again. */
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ENCLAVE_NAMESPACE } from '../../tools/cluster/environment.ts';
import { runningProcesses } from '../../tools/cluster/running-processes.ts';
import type { Targets } from './component-metrics.ts';
import { restartPods } from './control.ts';
import type { Crowd, RunningEnclave } from './crowd.ts';
import { type EvidenceStorm, evidenceStorm } from './evidence-storm.ts';
import type { ScaleWorld } from './scale-world.ts';
import { measure, type Window } from './window.ts';

export interface FaultReport {
  readonly storm: EvidenceStorm;
  readonly stormWindow: Window;
  readonly faults: readonly Fault[];
}

export interface Fault {
  readonly name: string;
  /** Until everything named was well again. */
  readonly seconds: number;
  readonly during: Window;
}

const LONGEST_MS = 120_000;
const AGAIN_MS = 500;
const STORM_MS = 15_000;

export async function tryFaults(
  world: ScaleWorld,
  targets: Targets,
  running: RunningEnclave[],
  inFlight: number,
  onFault: (fault: Fault) => void,
): Promise<FaultReport> {
  const { crowd, environment } = world;
  const { kubeconfig } = environment.cluster;
  const faults: Fault[] = [];
  const fault = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    const during = await measure(world, targets, work);
    const made = { name, seconds: during.seconds, during };
    faults.push(made);
    onFault(made);
  };
  let storm: EvidenceStorm = { asked: 0, seconds: 0, times: [] };
  const stormWindow = await measure(world, targets, async () => {
    storm = await evidenceStorm(crowd, running, inFlight, STORM_MS);
  });
  const node = 'node-2';
  const ofNode = await enclavesOf(world, node, running);
  const evidenceOfAll = () => allGiveEvidence(crowd, ofNode);
  await fault(
    `the agent of one node is killed, until its ${ofNode.length} enclaves give evidence`,
    async () => {
      killAgent(world, node);
      await evidenceOfAll();
    },
  );
  await fault(
    `agent and all ${ofNode.length} sidecars of one node die, until all are Ready with new keys`,
    async () => {
      killAgent(world, node);
      await restartPods(kubeconfig, node);
      await allReadyAgain(world, node);
      await evidenceOfAll();
    },
  );
  await fault('the certificate service is killed, until a launch is ready', async () => {
    for (const pid of environment.processes('certs')) process.kill(pid, 'SIGKILL');
    running.push(await crowd.launch(true));
  });
  await fault(`${running.length >> 1} enclaves are stopped, until none of them is left`, async () => {
    const ending = running.splice(0, running.length >> 1);
    const lane = async (): Promise<void> => {
      for (let next = ending.pop(); next !== undefined; next = ending.pop()) await crowd.stop(next);
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
  });
  return { storm, stormWindow, faults };
}

function killAgent({ environment }: ScaleWorld, node: string): void {
  const cluster = dirname(environment.cluster.kubeconfig);
  const agents = runningProcesses(
    ({ command }) =>
      command.includes('dist/agent/main.js') &&
      command.includes(cluster) &&
      command.includes(`--node=${node}\0`),
  );
  for (const pid of agents) process.kill(pid, 'SIGKILL');
}

interface EnclavePod {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly initContainerStatuses?: readonly { readonly restartCount: number }[];
  };
}

async function podsOf({ environment }: ScaleWorld, node: string): Promise<readonly EnclavePod[]> {
  const where = ['-n', ENCLAVE_NAMESPACE, `--field-selector=spec.nodeName=${node}`];
  const text = await environment.kubectl(['get', 'pods', ...where, '-o', 'json']);
  return (JSON.parse(text) as { items: readonly EnclavePod[] }).items;
}

async function enclavesOf(world: ScaleWorld, node: string, running: readonly RunningEnclave[]) {
  const names = new Set((await podsOf(world, node)).map(({ metadata }) => metadata.name));
  return running.filter(({ id }) => names.has(id));
}

/** Resolves when each has answered once. */
async function allGiveEvidence(crowd: Crowd, enclaves: readonly RunningEnclave[]): Promise<void> {
  const deadline = performance.now() + LONGEST_MS;
  const one = async (enclave: RunningEnclave): Promise<void> => {
    for (;;)
      try {
        return await crowd.evidence(enclave, true);
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await pause(AGAIN_MS);
      }
  };
  await Promise.all(enclaves.map(one));
}

async function allReadyAgain(world: ScaleWorld, node: string): Promise<void> {
  const deadline = performance.now() + LONGEST_MS;
  for (;;) {
    const waiting = (await podsOf(world, node)).filter(
      ({ status }) =>
        !status.initContainerStatuses?.every(({ restartCount }) => restartCount > 0) ||
        !status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    );
    if (waiting.length === 0) return;
    if (performance.now() > deadline)
      throw new Error(`${waiting.length} pods of ${node} are not Ready again`);
    await pause(AGAIN_MS);
  }
}
