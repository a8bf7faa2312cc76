/** The whole cluster without power, and back: what is in memory is gone, what is on disks is there. */
import { setTimeout as sleep } from 'node:timers/promises';
import { kubectlOf } from '../../cluster/operate.ts';
import { allSettled } from './all-settled.ts';
import type { ClusterNode, Layout } from './layout.ts';
import { endMachine, programsOf, restartMachine, resumeProgram, runIn, stopProgram } from './machine.ts';
import { connectNodes } from './network.ts';
import { makeCgroups, removeCgroups, untilContainerd } from './node.ts';
import { makeSocketFolder } from './tpm.ts';

const READY_MS = 60_000;

/**
 * Nodes end as machines do: every process, mount and interface at once. The control plane keeps its namespaces, in which suites run, and
 * loses every program; what etcd wrote is in the real machine's page cache, which stays. Nothing waits for anything that a real start
 * would not wait for.
 */
export async function powerCut(at: Layout): Promise<void> {
  const programs = programsOf(at.control);
  await Promise.all([
    ...at.nodes.map(endMachine),
    ...programs.map((program) => stopProgram(at.control, program, 'SIGKILL')),
  ]);
  await removeCgroups(at.folder);
  await allSettled(at.nodes.map((node) => goneFrom(at, node)));
  await allSettled(at.nodes.map(restartMachine));
  await connectNodes(at);
  await allSettled([startControl(at, programs), ...at.nodes.map(startNode)]);
}

/** As a supervisor would: controller manager and scheduler end by themselves while there is no API server. */
async function startControl(
  { control, kubeconfig, folder }: Layout,
  programs: readonly string[],
): Promise<void> {
  const early = ['etcd', 'kube-apiserver'];
  for (const program of early) resumeProgram(control, program);
  const { tryKubectl } = await kubectlOf(kubeconfig, folder);
  const deadline = performance.now() + READY_MS;
  while ((await tryKubectl(['get', '--raw=/readyz', '--request-timeout=2s'])).code !== 0) {
    if (performance.now() > deadline) throw new Error(`no API server after ${READY_MS / 1000} s`);
    await sleep(250);
  }
  for (const program of programs) if (!early.includes(program)) resumeProgram(control, program);
}

async function startNode(node: ClusterNode): Promise<void> {
  await makeSocketFolder(node);
  await makeCgroups(node);
  resumeProgram(node, 'containerd');
  await untilContainerd(node);
  for (const program of programsOf(node)) if (program !== 'containerd') resumeProgram(node, program);
}

/** The kernel takes a namespace's interfaces away a moment after its last process. */
async function goneFrom({ control }: Layout, node: ClusterNode): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while ((await runIn(control, ['ip', '-o', 'link'])).includes(` ${node.name}@`)) {
    if (performance.now() > deadline) throw new Error(`the interface of ${node.name} does not go`);
    await sleep(50);
  }
}
