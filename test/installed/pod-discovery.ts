import { createServer, type Server } from 'node:http';
import type { Environment } from '../../tools/cluster/environment.ts';

interface Container {
  readonly name: string;
  readonly image: string;
  readonly ports?: readonly {
    readonly name?: string;
    readonly containerPort: number;
    readonly protocol: string;
  }[];
}

interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly nodeName?: string;
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
  };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly hostIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** What `http_sd_configs` reads: every value is a string. */
interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** As Prometheus writes names of labels and annotations into its own. */
export function metaLabel(kind: string, name: string): string {
  return `__meta_kubernetes_pod_${kind}_${name.replaceAll(/[^a-zA-Z0-9_]/g, '_')}`;
}

/**
 * Pods for `http_sd_configs`, as Prometheus' own discovery of role `pod` has them, with which Debian builds it not: one target for each port of each
 * container, init containers too, pods that have ended too. Serves on loopback.
 */
export async function podDiscovery({ kubectl }: Environment): Promise<{ url: string; close(): void }> {
  const server: Server = createServer((_request, response) => {
    void kubectl(['get', 'pods', '-A', '-o', 'json']).then(
      (text) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify((JSON.parse(text) as { items: Pod[] }).items.flatMap(targetsOf)));
      },
      () => response.writeHead(503).end(),
    );
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(address !== null && typeof address === 'object' ? address.port : 0);
    });
  });
  return { url: `http://127.0.0.1:${port}/`, close: () => server.close() };
}

function targetsOf(pod: Pod): TargetGroup[] {
  const { podIP } = pod.status;
  if (podIP === undefined) return [];
  const { containers, initContainers = [] } = pod.spec;
  return [...containers, ...initContainers].flatMap((container, at) => {
    const labels = {
      ...podLabels(pod),
      __meta_kubernetes_pod_ip: podIP,
      __meta_kubernetes_pod_container_name: container.name,
      __meta_kubernetes_pod_container_image: container.image,
      __meta_kubernetes_pod_container_init: String(at >= containers.length),
    };
    const { ports = [] } = container;
    if (ports.length === 0) return [{ targets: [podIP], labels }];
    return ports.map(({ name = '', containerPort, protocol }) => ({
      targets: [`${podIP}:${containerPort}`],
      labels: {
        ...labels,
        __meta_kubernetes_pod_container_port_name: name,
        __meta_kubernetes_pod_container_port_number: String(containerPort),
        __meta_kubernetes_pod_container_port_protocol: protocol,
      },
    }));
  });
}

function podLabels({ metadata, spec, status }: Pod): Record<string, string> {
  const ready = status.conditions?.find(({ type }) => type === 'Ready')?.status ?? 'Unknown';
  const named = (kind: string, pairs: Readonly<Record<string, string>> = {}): [string, string][] =>
    Object.entries(pairs).flatMap(([name, value]) => [
      [metaLabel(kind, name), value],
      [metaLabel(`${kind}present`, name), 'true'],
    ]);
  return {
    __meta_kubernetes_namespace: metadata.namespace,
    __meta_kubernetes_pod_name: metadata.name,
    __meta_kubernetes_pod_uid: metadata.uid,
    __meta_kubernetes_pod_phase: status.phase,
    __meta_kubernetes_pod_ready: ready.toLowerCase(),
    __meta_kubernetes_pod_node_name: spec.nodeName ?? '',
    __meta_kubernetes_pod_host_ip: status.hostIP ?? '',
    ...Object.fromEntries([...named('label', metadata.labels), ...named('annotation', metadata.annotations)]),
  };
}
