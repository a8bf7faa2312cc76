import { type Refused, refusePod } from './code.ts';
import type { Container, PodSpec } from './pod.ts';
import { shown } from './shown.ts';

const WINDOWS = 'windows';

function isWindows(spec: PodSpec): boolean {
  return (
    spec.os?.name === WINDOWS ||
    spec.nodeSelector?.['kubernetes.io/os'] === WINDOWS ||
    (spec.securityContext?.windowsOptions ?? undefined) !== undefined
  );
}

/** What a pod shares with its node or among its containers, and an enclave must not. */
export function breachOfHostRules(spec: PodSpec): Refused | undefined {
  if (isWindows(spec))
    return refusePod(
      'windows',
      'the sidecar runs on Linux, this is a Windows pod',
      'Run it outside an enclave.',
    );
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC'] as const)
    if (spec[field] === true)
      return refusePod(
        'host-namespace',
        `spec.${field} is true: the node's namespaces are not the pod's own`,
        `Remove spec.${field}.`,
      );
  if (spec.shareProcessNamespace === true)
    return refusePod(
      'process-namespace-shared',
      'spec.shareProcessNamespace is true: other containers could read the sidecar’s memory',
      'Remove spec.shareProcessNamespace.',
    );
  if (spec.ephemeralContainers && spec.ephemeralContainers.length > 0)
    return refusePod(
      'ephemeral-container',
      'enclave pods take no ephemeral containers',
      'Debug a copy of the pod outside an enclave.',
    );
  return undefined;
}

/**
 * Capabilities that a container may add: those of the Baseline Pod Security Standard, and three that act on the pod's own network and memory
 * only. The others reach the node (its kernel, its devices, its clock, the memory of every process), and the sidecar with it.
 */
const CAPABILITIES: readonly string[] = [
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'IPC_LOCK',
  'KILL',
  'MKNOD',
  'NET_ADMIN',
  'NET_BIND_SERVICE',
  'NET_RAW',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
];

/** Of a refusal's message; most pods have none. */
export function whereOf({ name }: Container): string {
  return `container ${shown(name)}`;
}

/** What a container takes of its node. */
export function breachOfContainerHostRules(container: Container): Refused | undefined {
  const { privileged, procMount, capabilities, windowsOptions } = container.securityContext ?? {};
  if (privileged === true)
    return refusePod(
      'host-namespace',
      `${whereOf(container)} is privileged: it reaches the node, and the sidecar's memory with it`,
      'Remove securityContext.privileged.',
    );
  const capability = capabilities?.add?.find((each) => !CAPABILITIES.includes(each));
  if (capability !== undefined)
    return refusePod(
      'host-namespace',
      `${whereOf(container)} adds capability ${capability.slice(0, 100)}: it may reach the node, and the sidecar's memory with it`,
      `Remove it from securityContext.capabilities.add; allowed are ${CAPABILITIES.join(', ')}.`,
    );
  if (procMount && procMount !== 'Default')
    return refusePod(
      'host-namespace',
      `${whereOf(container)} has procMount ${procMount.slice(0, 100)}: it sees what the container runtime hides of the node`,
      'Remove securityContext.procMount.',
    );
  if (windowsOptions)
    return refusePod(
      'windows',
      `${whereOf(container)} has windowsOptions: the sidecar runs on Linux`,
      'Remove securityContext.windowsOptions, or run it outside an enclave.',
    );
  for (const port of container.ports ?? [])
    if (port.hostPort)
      return refusePod(
        'host-namespace',
        `${whereOf(container)}: port ${port.containerPort} is opened on the node as ${port.hostPort}, a way past the sidecar`,
        'Remove hostPort; clients reach the app through the sidecar.',
      );
  return undefined;
}
