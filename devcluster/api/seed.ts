import { plantBootstrapRoles } from './authorization/bootstrap-roles.ts';
import type { Cluster } from './cluster.ts';
import { furnishNamespace } from './furnish-namespace.ts';
import { plant } from './plant.ts';

const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** What a fresh cluster holds. */
export function seed(cluster: Cluster): void {
  plantBootstrapRoles(cluster);
  for (const name of NAMESPACES) {
    plant(cluster, 'namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    });
    furnishNamespace(cluster, name);
  }
}
