import { createServer, type Server } from 'node:http';
import type { Environment } from '../../tools/cluster/environment.ts';

interface PodList {
  readonly items: readonly {
    readonly metadata: {
      readonly name: string;
      readonly namespace: string;
      readonly labels?: Readonly<Record<string, string>>;
      readonly annotations?: Readonly<Record<string, string>>;
    };
    readonly status: { readonly phase: string; readonly podIP?: string };
  }[];
}

/** As Prometheus writes names of labels and annotations into its own. */
export function metaLabel(kind: string, name: string): string {
  return `__meta_kubernetes_pod_${kind}_${name.replaceAll(/[^a-zA-Z0-9_]/g, '_')}`;
}

/**
 * Pods for `http_sd_configs`, with the labels of Prometheus' own discovery of role `pod`, one target a pod: Debian builds Prometheus without
 * that discovery. Serves on loopback.
 */
export async function podDiscovery({ kubectl }: Environment): Promise<{ url: string; close(): void }> {
  const server: Server = createServer((_request, response) => {
    void kubectl(['get', 'pods', '-A', '-o', 'json']).then(
      (text) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify((JSON.parse(text) as PodList).items.flatMap(target)));
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

function target({ metadata, status }: PodList['items'][number]): object[] {
  if (status.podIP === undefined || status.phase === 'Succeeded') return [];
  const labels: Record<string, string> = {
    __meta_kubernetes_namespace: metadata.namespace,
    __meta_kubernetes_pod_name: metadata.name,
    __meta_kubernetes_pod_ip: status.podIP,
  };
  for (const [name, value] of Object.entries(metadata.labels ?? {})) {
    labels[metaLabel('label', name)] = value;
    labels[metaLabel('labelpresent', name)] = 'true';
  }
  for (const [name, value] of Object.entries(metadata.annotations ?? {}))
    labels[metaLabel('annotation', name)] = value;
  return [{ targets: [status.podIP], labels }];
}
