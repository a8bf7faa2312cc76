import { arch, cpus, release, totalmem } from 'node:os';
import type { Node } from '../../platform/kube/resources.ts';
import { KUBELET_PORT } from './address-block.ts';

/** The KubeletVersion that the node reports: of the Kubernetes whose kubelet it follows. */
const VERSION = 'v1.36.3';

/** What the node can give: the downward API's answer for a container without a limit. */
export function allocatable(): Record<string, string> {
  return { cpu: String(cpus().length), memory: `${Math.floor(totalmem() / 1024)}Ki`, pods: '250' };
}

/** The Node object as a kubelet registers it; `since`: when it became what it is. */
export function nodeObject(name: string, address: string, ready: boolean, since: string, now: string): Node {
  const architecture = arch() === 'x64' ? 'amd64' : arch();
  const condition = (type: string, status: string, reason: string, message: string) => ({
    type,
    status,
    reason,
    message,
    lastHeartbeatTime: now,
    lastTransitionTime: since,
  });
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': architecture,
      },
    },
    spec: {},
    status: {
      addresses: [
        { type: 'InternalIP', address },
        { type: 'Hostname', address: name },
      ],
      capacity: allocatable(),
      allocatable: allocatable(),
      conditions: [
        condition(
          'MemoryPressure',
          'False',
          'KubeletHasSufficientMemory',
          'kubelet has sufficient memory available',
        ),
        condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
        condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
        ready
          ? condition('Ready', 'True', 'KubeletReady', 'the development node runs pods as processes')
          : condition('Ready', 'False', 'KubeletNotReady', 'the development node has been stopped'),
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: KUBELET_PORT } },
      nodeInfo: {
        architecture,
        operatingSystem: 'linux',
        kernelVersion: release(),
        kubeletVersion: VERSION,
        kubeProxyVersion: VERSION,
        containerRuntimeVersion: `devcluster://${VERSION}`,
        osImage: 'enclave-licensing devcluster: pods are processes, nothing is isolated',
        machineID: name,
        systemUUID: name,
        bootID: name,
      },
    },
  };
}
