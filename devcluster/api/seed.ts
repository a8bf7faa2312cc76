import { randomUUID } from 'node:crypto';
import type { Cluster } from './cluster.ts';
import { type KubeObject, timestamp } from './object.ts';
import { storageKey } from './resource.ts';

const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** Puts an object that the cluster itself makes, as its controllers would. */
export function plant(
  cluster: Cluster,
  table: string,
  object: Omit<KubeObject, 'metadata'> & {
    metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  },
): void {
  const { name, namespace } = object.metadata;
  const key = storageKey(namespace, name);
  if (cluster.store.get(table, key) !== undefined) return;
  const metadata = {
    ...object.metadata,
    uid: randomUUID(),
    resourceVersion: '',
    creationTimestamp: timestamp(cluster.now()),
  };
  cluster.store.put(table, key, { ...object, metadata } as KubeObject);
}

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

export function seed(cluster: Cluster): void {
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
