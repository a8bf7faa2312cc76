/** What goes wrong on a cluster, and comes back: by a controller, a kubelet, or somebody who starts again what was stopped. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment } from '../../tools/cluster/environment.ts';
import { machineOf, shiftClock, startPart, stopPart } from '../../tools/kubernetes/cluster/faults.ts';
import type { Layout } from '../../tools/kubernetes/cluster/layout.ts';

export interface Site {
  readonly environment: Environment;
  readonly at: Layout;
  /** The node of the enclave to which a connection is open, and one that is another. */
  readonly node: string;
  readonly other: string;
}

export interface Fault {
  readonly what: string;
  inject(site: Site): Promise<void>;
  /** The connection's enclave is on a machine that this ends. */
  readonly endsConnection?: true;
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
    inject: async (site) => {
      await site.environment.kubectl(['delete', ...agentPod(site.node), ...inRelease(site)]);
    },
  },
  {
    what: 'webhook rolled',
    inject: async (site) => {
      const { kubectl } = site.environment;
      await kubectl(['rollout', 'restart', 'deployment/enclave-webhook', ...inRelease(site)]);
      await kubectl(['rollout', 'status', 'deployment/enclave-webhook', ...inRelease(site)]);
    },
  },
  { what: 'certificate service killed', inject: kill('certs') },
  { what: 'launcher killed', inject: kill('launcher') },
  { what: 'front killed', inject: kill('front') },
  { what: 'kubelet restarted', inject: restart(({ node }) => node, 'kubelet') },
  { what: 'containerd restarted', inject: restart(({ node }) => node, 'containerd') },
  {
    what: 'the other node drained',
    inject: async ({ environment, other }) => {
      const drain = ['--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout=90s'];
      await environment.kubectl(['drain', other, ...drain]);
      await environment.kubectl(['uncordon', other]);
    },
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
    what: 'clock of a node’s agent and new sidecars an hour ahead, and back',
    inject: async (site) => {
      const { kubectl } = site.environment;
      const machine = machineOf(site.at, site.node);
      const again = ['delete', ...agentPod(site.node), ...inRelease(site)];
      shiftClock(machine, '+3600s');
      await kubectl(again);
      await sleep(20_000);
      shiftClock(machine, undefined);
      await kubectl(again);
    },
  },
  {
    what: 'the connection’s node drained',
    inject: async ({ environment, node }) => {
      const drain = ['--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout=90s'];
      await environment.kubectl(['drain', node, ...drain]);
      await environment.kubectl(['uncordon', node]);
    },
    endsConnection: true,
  },
];
