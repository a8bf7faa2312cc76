import type { Cluster } from './cluster.ts';
import { plant } from './plant.ts';

/** What every namespace has from the controllers of a real cluster. */
export function furnishNamespace(cluster: Cluster, namespace: string): void {
  plant(cluster, 'serviceaccounts', {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default', namespace },
  });
  plant(cluster, 'configmaps', {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kube-root-ca.crt', namespace },
    data: { 'ca.crt': cluster.authority.caPem },
  });
}
