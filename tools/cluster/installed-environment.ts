/**
 * The product as the chart installed it on the cluster that `make cluster` has up. It stays up: `stop` takes away only what people of
 * this environment launched. Pods' addresses are reached from inside the cluster's network, where `make e2e` runs the suites.
 */
import { resolve } from 'node:path';
import { DEFAULT_RELEASE_NAMESPACE } from '../../names/components.ts';
import { ENABLED, ENCLAVE_LABEL, INJECTION_LABEL } from '../../names/labels.ts';
import { builtCatalogue } from '../kubernetes/cluster/images.ts';
import { installedCluster } from '../kubernetes/cluster/installed-cluster.ts';
import {
  ENCLAVE_NAMESPACE,
  type Environment,
  type EnvironmentOptions,
  type Replicated,
} from './environment.ts';
import { componentsReady, frontNodePort, operatorOf, writeRoots } from './operate.ts';
import { readIfThere, runningProcesses } from './running-processes.ts';

const NAMESPACE = DEFAULT_RELEASE_NAMESPACE;
const REPLICAS = 'jsonpath={.spec.replicas}';

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly namespace: string };
    readonly spec: {
      readonly containers: readonly { readonly name: string }[];
      readonly initContainers?: readonly { readonly name: string }[];
    };
  }[];
}

/** @param folder of the cluster: `.cluster` of the checkout */
export async function installedEnvironment(
  folder: string,
  options: EnvironmentOptions,
): Promise<Environment> {
  const { directory } = options;
  const cluster = await installedCluster(folder);
  const operator = await operatorOf(cluster.kubeconfig, directory, options.signal);
  const { kubectl } = operator;
  await componentsReady(operator, NAMESPACE, options.progress);
  const front = await kubectl(['get', 'deployment', 'enclave-front', '-n', NAMESPACE, '-o', 'yaml']);
  const processes: Environment['processes'] = (component, enclave) =>
    runningProcesses(({ pid, command, environment }) => {
      if (!command.includes('/app/main.js\0')) return false;
      // The kubelet mounts each container's termination message from a folder of its name.
      const container = component === 'sidecar' ? 'enclave-sidecar' : `enclave-${component}`;
      if (!readIfThere(`/proc/${pid}/mountinfo`).includes(`/containers/${container}/`)) return false;
      return enclave === undefined || environment.includes(`_ENCLAVE=${enclave}\0`);
    });
  /** How many there were of what was scaled. */
  const installed = new Map<Replicated, number>();
  const scale = async (component: Replicated, count: number): Promise<void> => {
    const deployment = [`deployment/${component}`, '-n', NAMESPACE];
    await kubectl(['scale', ...deployment, `--replicas=${count}`]);
    await kubectl(['rollout', 'status', ...deployment, '--timeout=60s']);
    const selector = ['-l', `app.kubernetes.io/name=${component}`];
    if (count === 0)
      await kubectl(['wait', '--for=delete', 'pod', '-n', NAMESPACE, '--timeout=60s', ...selector]);
    else await componentsReady(operator, NAMESPACE);
  };
  // A suite before this one may have taken it away.
  const labelled = ['label', '--overwrite', 'namespace', ENCLAVE_NAMESPACE, `${INJECTION_LABEL}=${ENABLED}`];
  await kubectl(labelled);
  return {
    directory,
    cluster,
    catalogue: builtCatalogue(resolve('dist/images')),
    releaseNamespace: NAMESPACE,
    seats: Number(/--seats=(\d+)/.exec(front)?.[1]),
    rootsFile: await writeRoots(kubectl, NAMESPACE, directory),
    frontAddress: `${cluster.nodes[0]?.address}:${await frontNodePort(kubectl, NAMESPACE)}`,
    ...operator,
    replicas: async (component, count) => {
      const was = await kubectl(['get', 'deployment', component, '-n', NAMESPACE, '-o', REPLICAS]);
      installed.set(component, installed.get(component) ?? Number(was));
      await scale(component, count);
    },
    processes,
    logs: async () => {
      const { items } = JSON.parse(await kubectl(['get', 'pods', '-A', '-o', 'json'])) as PodList;
      const containers = items.flatMap(({ metadata: { name, namespace }, spec }) =>
        [...(spec.initContainers ?? []), ...spec.containers].map((each) => [namespace, name, each.name]),
      );
      const texts = await Promise.all(
        containers.map(async ([namespace = '', pod = '', container = '']) => {
          const { stdout } = await operator.tryKubectl(['logs', '-n', namespace, pod, '-c', container]);
          return [`${namespace}/${pod}/${container}`, stdout] as const;
        }),
      );
      return new Map(texts);
    },
    stop: async () => {
      for (const [component, count] of installed) await scale(component, count);
      await kubectl(['delete', 'pods', '-n', ENCLAVE_NAMESPACE, '-l', ENCLAVE_LABEL, '--wait=true']);
      operator.kube.close();
    },
  };
}
