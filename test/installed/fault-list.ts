/** What goes wrong on a cluster, and comes back: by a controller, a kubelet, or somebody who starts again what was stopped. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { SIDECAR_CONTAINER } from '../../names/sidecar.ts';
import { ENCLAVE_NAMESPACE, type Environment, RELEASE_NAME } from '../../tools/cluster/environment.ts';
import { helmOf } from '../../tools/cluster/operate.ts';
import { machineOf, shiftClock, startPart, stopPart } from '../../tools/kubernetes/cluster/faults.ts';
import type { Layout } from '../../tools/kubernetes/cluster/layout.ts';
import { powerCut } from '../../tools/kubernetes/cluster/power-cut.ts';
import { loadRelabelled } from '../../tools/kubernetes/cluster/relabelled-images.ts';
import { untilRolledOut } from '../../tools/kubernetes/cluster/until-rolled-out.ts';
import { until } from '../support/until.ts';
import type { LaunchOutcome } from '../support/world.ts';

export interface Site {
  readonly environment: Environment;
  readonly at: Layout;
  /** The node of the enclave to which a connection is open, and one that is another. */
  readonly node: string;
  readonly other: string;
  /** What `enclavectl connect` said so far. */
  said(): string;
  /** By which users judge evidence. */
  readonly policyFile: string;
  /** References that a pod's sidecar may have. */
  readonly sidecars: Set<string>;
  launch(saying: (phase: string, enclave: string) => void): Promise<LaunchOutcome>;
  stop(enclave: string): Promise<unknown>;
}

export interface Fault {
  readonly what: string;
  inject(site: Site): Promise<void>;
  /** How many pods of which components start anew. */
  readonly restarts?: Readonly<Record<string, number>>;
  /** Why the connection cannot live. */
  readonly endsConnection?: string;
}

const inRelease = ({ environment }: Site): string[] => ['-n', environment.releaseNamespace];
const kill =
  (component: string) =>
  async ({ environment }: Site): Promise<void> => {
    const pids = environment.processes(component);
    if (pids.length === 0) throw new Error(`no process of ${component}`);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
  };
const restart = (machine: (site: Site) => string, program: string) => async (site: Site) => {
  await stopPart(site.at, machine(site), program, 'SIGKILL');
  await sleep(3000);
  startPart(site.at, machine(site), program);
};
const agentPod = (node: string): string[] => [
  ...['pods', '-l', 'app.kubernetes.io/name=enclave-agent', `--field-selector=spec.nodeName=${node}`],
];

export const FAULTS: readonly Fault[] = [
  {
    what: 'agent pod deleted',
    restarts: { agent: 1 },
    inject: async (site) => {
      await site.environment.kubectl(['delete', ...agentPod(site.node), ...inRelease(site)]);
    },
  },
  {
    what: 'webhook rolled',
    restarts: { webhook: 1 },
    inject: async (site) => {
      const { kubectl } = site.environment;
      await kubectl(['rollout', 'restart', 'deployment/enclave-webhook', ...inRelease(site)]);
      await kubectl(['rollout', 'status', 'deployment/enclave-webhook', ...inRelease(site)]);
    },
  },
  { what: 'certificate service killed', inject: kill('certs'), restarts: { certs: 1 } },
  { what: 'launcher killed', inject: kill('launcher'), restarts: { launcher: 1 } },
  { what: 'front killed', inject: kill('front'), restarts: { front: 1 } },
  { what: 'kubelet restarted', inject: restart(({ node }) => node, 'kubelet') },
  { what: 'containerd restarted', inject: restart(({ node }) => node, 'containerd') },
  {
    what: 'the other node drained',
    inject: ({ environment, other }) => drain(environment, other),
  },
  {
    what: 'API server stopped for 60 s',
    inject: async ({ environment: { cluster } }) => {
      await cluster.suspendApi();
      await sleep(60_000);
      await cluster.resumeApi();
    },
  },
  { what: 'etcd restarted', inject: restart(() => 'control', 'etcd') },
  { what: 'TPM stopped and started', inject: restart(({ node }) => node, 'swtpm') },
  {
    // Evidence of the next hour is refused, and connections with it: who has the TPM and the clock could keep it for then.
    what: 'clock of a node’s agent and new sidecars an hour ahead, and back',
    endsConnection: 'its evidence was from the future',
    restarts: { agent: 1 },
    inject: async (site) => {
      const { kubectl } = site.environment;
      const machine = machineOf(site.at, site.node);
      const again = ['delete', ...agentPod(site.node), ...inRelease(site)];
      shiftClock(machine, '+3600s');
      try {
        await kubectl(again);
        // Evidence is renewed each 30 s.
        await until('refused', () => site.said().includes('evidence-from-the-future'), 90_000);
        await launchAhead(site);
      } finally {
        shiftClock(machine, undefined);
        await kubectl(again);
      }
    },
  },
  {
    what: 'the connection’s node drained',
    inject: ({ environment, node }) => drain(environment, node),
    endsConnection: 'its pod ended',
  },
  {
    what: 'every node and the control plane ended at once, and started',
    endsConnection: 'its sidecar ended',
    restarts: { agent: 2, certs: 1, front: 1, launcher: 1, webhook: 1 },
    inject: ({ at }) => powerCut(at),
  },
  { what: '`helm upgrade` to new images', inject: upgrade },
];

/** A sidecar that starts on the node of which the clock is ahead: what it shows is refused, and the reason said. */
async function launchAhead({
  environment: { kubectl, tryKubectl },
  other,
  launch,
  stop,
}: Site): Promise<void> {
  await kubectl(['cordon', other]);
  try {
    let line: Promise<string> | undefined;
    const { enclave, code, output } = await launch((phase, id) => {
      const ask = ['logs', id, '-n', ENCLAVE_NAMESPACE, '-c', SIDECAR_CONTAINER, '--tail=1'];
      // Refused, the enclave ends at once, and its log with it.
      if (phase === 'started') line = until('a line', async () => (await tryKubectl(ask)).stdout || false);
      line?.catch(() => undefined);
    });
    await stop(enclave);
    if (code === 0 || !output.includes('evidence-from-the-future'))
      throw new Error(`evidence from the future was not refused: ${output}`);
    const { time } = JSON.parse((await line) ?? '{}') as { time?: string };
    if (!(Date.parse(time ?? '') > Date.now() + 3000_000))
      throw new Error(`the sidecar's clock is not ahead: ${time}; the launch said:\n${output}`);
  } finally {
    await kubectl(['uncordon', other]);
  }
}

async function drain({ kubectl }: Site['environment'], node: string): Promise<void> {
  try {
    await kubectl([
      'drain',
      node,
      '--ignore-daemonsets',
      '--delete-emptydir-data',
      '--force',
      '--timeout=90s',
    ]);
  } finally {
    await kubectl(['uncordon', node]);
  }
}

/** As docs/operating.md says: users are told the new sidecar's digest first. */
async function upgrade({ environment, at, policyFile, sidecars }: Site): Promise<void> {
  const { kubectl, directory, releaseNamespace } = environment;
  const { sidecar, digests } = await loadRelabelled(at.nodes, resolve('dist/images'), 'next');
  const policy = parse(readFileSync(policyFile, 'utf8')) as { images: string[] };
  writeFileSync(policyFile, stringify({ ...policy, images: [...policy.images, sidecar] }));
  sidecars.add(sidecar);
  const values = join(directory, 'next.json');
  writeFileSync(values, JSON.stringify({ images: { digests } }));
  const helm = await helmOf(at.kubeconfig, directory);
  await helm([
    ...['upgrade', RELEASE_NAME, 'charts/licensing', '--namespace', releaseNamespace],
    ...['--reset-then-reuse-values', '-f', values],
  ]);
  await untilRolledOut(kubectl, releaseNamespace, () => undefined, new AbortController().signal);
}
