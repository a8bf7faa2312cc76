import { randomUUID } from 'node:crypto';
import type { Cluster } from './cluster.ts';
import { type KubeObject, timestamp } from './object.ts';
import { storageKey } from './resource.ts';

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
