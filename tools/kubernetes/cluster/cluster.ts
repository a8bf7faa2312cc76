/** The cluster as a whole: up, and down to where nothing of it is left. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { command } from '../../cluster/command.ts';
import type { Environment } from '../../cluster/environment.ts';
import { kubectlOf } from '../../cluster/operate.ts';
import { allSettled } from './all-settled.ts';
import { startControlPlane } from './control-plane.ts';
import { startEntry } from './entry.ts';
import { loadBusybox } from './images.ts';
import { HOST_LINK, type Layout, layout } from './layout.ts';
import { endMachine, firstProcess, isRunning, logTail, startMachine } from './machine.ts';
import { connectMachines } from './network.ts';
import { removeCgroups, startKubelet, startNode } from './node.ts';
import { isAlive, readRecord, recordProcess } from './process-record.ts';
import { startTpms } from './tpm.ts';

const READY_MS = 90_000;
/** Written last: a folder without it is a start that did not come to its end. */
const UP = 'up';

export interface StartOptions {
  readonly layout: Layout;
  /** Folder that `build.sh cluster` printed. */
  readonly programs: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** The cluster that runs from this folder, or undefined. */
export function runningCluster(folder: string): Layout | undefined {
  if (!existsSync(join(folder, UP))) return undefined;
  const found = layout(folder, Number(readFileSync(join(folder, UP), 'utf8')));
  return firstProcess(found.control) === undefined ? undefined : found;
}

/** Brings it up until every node is Ready. When it fails or `signal` aborts, nothing of it is left. */
export async function startCluster(options: StartOptions): Promise<void> {
  const { layout: at, signal } = options;
  if (await linkExists())
    throw new Error(
      `the interface ${HOST_LINK} exists: another checkout's cluster is up; end it with make cluster-down there`,
    );
  // Whatever is under way fails at once when its machine is gone.
  const end = (): void => void endMachines(at.folder).catch(() => undefined);
  signal.addEventListener('abort', end);
  try {
    await start(options);
  } catch (error) {
    await stopCluster(at.folder);
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener('abort', end);
  }
}

async function start({ layout: at, programs, say, signal }: StartOptions): Promise<void> {
  const machines = [at.control, ...at.nodes];
  await allSettled(machines.map((machine) => startMachine(machine, programs)));
  signal.throwIfAborted();
  await connectMachines(at);
  signal.throwIfAborted();
  const [pki] = await allSettled([startControlPlane(at), startTpms(at)]);
  say('API server up, a TPM for each node made');
  signal.throwIfAborted();
  const { kubectl } = await kubectlOf(at.kubeconfig, at.folder);
  await kubectl(['apply', '-f', join(import.meta.dirname, 'addons.yaml')]);
  await allSettled(at.nodes.map((node) => startNode(node, pki)));
  signal.throwIfAborted();
  await loadBusybox(at.nodes, at.folder);
  for (const node of at.nodes) startKubelet(node);
  startEntry(at);
  await untilNodesReady(at, kubectl, signal);
  say(`nodes Ready: ${at.nodes.map(({ name }) => name).join(', ')}`);
  writeFileSync(join(at.folder, UP), String(at.nodes.length));
}

/** @throws Error when another process is just starting a cluster in this folder */
export function claimFolder(folder: string): void {
  const starter = join(folder, 'starter');
  const other = readRecord(starter);
  if (other !== undefined && isAlive(other) && other.pid !== process.pid)
    throw new Error(`process ${other.pid} is at work on ${folder}: wait for it, or end it`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  recordProcess(starter, process.pid);
}

/** Ends every process of it and removes everything that it made, whatever state it is in. */
export async function stopCluster(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  const ours = await endMachines(folder);
  if (ours) await command('ip', ['link', 'delete', HOST_LINK]);
  if (await linkExists())
    // Another checkout's: this one's last cluster has left nothing but its folder.
    return rmSync(folder, { recursive: true, force: true });
  await removeCgroups(folder);
  rmSync(folder, { recursive: true, force: true });
}

/** @returns whether there were any */
async function endMachines(folder: string): Promise<boolean> {
  const machines = readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, 'holder')))
    .map((name) => ({ name, folder: join(folder, name) }));
  const ended = await Promise.all(machines.map(endMachine));
  return ended.includes(true);
}

async function linkExists(): Promise<boolean> {
  return (await command('ip', ['link', 'show', HOST_LINK])).code === 0;
}

async function untilNodesReady(
  at: Layout,
  kubectl: Environment['kubectl'],
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + READY_MS;
  const path =
    '{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}';
  for (;;) {
    signal.throwIfAborted();
    const said = await kubectl(['get', 'nodes', '-o', `jsonpath=${path}`]);
    const waiting = at.nodes.filter(({ name }) => !said.split('\n').includes(`${name}=True`));
    if (waiting.length === 0) return;
    for (const node of waiting)
      if (!isRunning(node, 'kubelet') || performance.now() > deadline)
        throw new Error(`${node.name} is not Ready; its kubelet said:\n${logTail(node, 'kubelet')}`);
    await sleep(250);
  }
}
