import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServiceProxy } from '../../devcluster/control/service-proxy.ts';
import { LEADER_LABEL } from '../../names/certs-state.ts';
import { PORTS } from '../../names/wire.ts';
import { customResource, LEASES, PODS, type Pod } from '../../platform/kube/resources.ts';
import type { KubeObject } from '../../platform/kube/wire.ts';
import { until } from '../support/until.ts';
import { ensure, RELEASE, type TestCluster } from './cluster.ts';

/** Certificate services in processes of their own, each with a pod that has its address, behind the release's Service. */
export interface Replicas {
  /** host:port of the Service. */
  readonly service: { readonly host: string; readonly port: number };
  start(address: string): Promise<void>;
  /** Address of the pod that the Service leads to. */
  leader(): Promise<string>;
  signal(address: string, signal: NodeJS.Signals): Promise<void>;
  /** Lines of /readyz. */
  readiness(address: string): Promise<string>;
  metric(address: string, name: string): Promise<number>;
  log(address: string): string;
  stop(): Promise<void>;
}

interface Service extends KubeObject {
  spec?: { clusterIP?: string };
}
const SERVICES = customResource<Service>('v1', 'Service', 'services', true);
const podName = (address: string): string => `certs-${address.replaceAll('.', '-')}`;

export async function startReplicas(cluster: TestCluster): Promise<Replicas> {
  const { admin, folder } = cluster;
  const children = new Map<string, { readonly child: ChildProcess; text: string }>();
  const tokenFile = join(folder, 'replicas-token');
  mkdirSync(join(folder, 'ek-roots'), { recursive: true });
  writeFileSync(tokenFile, await cluster.token('enclave-certs'), { mode: 0o600 });
  const proxy = new ServiceProxy(admin, () => undefined);
  await proxy.start();
  const service = await admin.get(SERVICES, { name: 'enclave-certs', namespace: RELEASE });
  const get = (address: string, path: string): Promise<string> =>
    fetch(`http://${address}:9464${path}`).then((answer) => answer.text());
  return {
    service: { host: service?.spec?.clusterIP ?? '', port: PORTS.certs },
    start: async (address) => {
      const name = podName(address);
      const labels = { 'app.kubernetes.io/name': 'enclave-certs' };
      const containers = [{ name: 'enclave-certs', image: 'enclave-certs' }];
      const pod = {
        metadata: { name, namespace: RELEASE, labels },
        spec: { serviceAccountName: 'enclave-certs', containers },
      } as Pod;
      await ensure(admin, PODS, pod);
      const status = { podIP: address, podIPs: [{ ip: address }] };
      await admin.patch(PODS, { name, namespace: RELEASE }, { status }, 'merge', 'status');
      const child = spawn(
        process.execPath,
        [
          'certs/main.ts',
          `--bind=${address}`,
          `--kube-api=${readFileSync(join(folder, 'server'), 'utf8')}`,
          `--kube-token-file=${tokenFile}`,
          `--kube-ca-file=${join(folder, 'ca.crt')}`,
          `--ek-roots-dir=${join(folder, 'ek-roots')}`,
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      const kept = { child, text: children.get(address)?.text ?? '' };
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        kept.text += chunk;
      });
      children.set(address, kept);
    },
    leader: () =>
      until('a leader', async () => {
        const lease = await admin.get(LEASES, { name: 'enclave-certs', namespace: RELEASE });
        const holder = lease?.spec?.holderIdentity?.split('_')[0];
        const { items } = await admin.list(PODS, { namespace: RELEASE, labelSelector: LEADER_LABEL });
        const [labelled, ...others] = items.map(({ status }) => status?.podIP);
        return others.length === 0 && labelled !== undefined && labelled === holder && labelled;
      }),
    signal: async (address, signal) => {
      const { child } = children.get(address) ?? {};
      if (child === undefined) throw new Error(`nobody at ${address}`);
      const ended = signal === 'SIGSTOP' || signal === 'SIGCONT' ? undefined : once(child, 'exit');
      child.kill(signal);
      await ended;
    },
    readiness: (address) => get(address, '/readyz'),
    metric: async (address, name) => {
      const line = (await get(address, '/metrics'))
        .split('\n')
        .find((each) => each.startsWith(`enclave_certs_${name} `));
      return Number(line?.split(' ')[1] ?? Number.NaN);
    },
    log: (address) => children.get(address)?.text ?? '',
    stop: async () => {
      proxy.close();
      for (const { child } of children.values()) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }
    },
  };
}
