import type { Call } from './call.ts';
import type { KubeObject } from './object.ts';
import { storageKey } from './resource.ts';
import { deleteMany } from './rest/delete.ts';

const AGAIN_MS = 100;

/** As the namespace controller does: deletes what a namespace that is going still holds, and the namespace when nothing is left. */
export function sweepNamespace(call: Call, namespace: KubeObject): void {
  const { cluster } = call;
  const { name } = namespace.metadata;
  const sweep = async (): Promise<void> => {
    let left = 0;
    for (const resource of cluster.resources.all().filter((each) => each.namespaced)) {
      const request = {
        ...{ verb: 'deletecollection', group: resource.group, version: resource.version },
        ...{ resource: resource.plural, subresource: '', namespace: name, name: '' },
      };
      const query = new URLSearchParams();
      const within: Call = { ...call, resource, request, query, dryRun: false, warnings: [] };
      if (cluster.store.list(resource.table, name).length > 0) await deleteMany(within, undefined);
      left += cluster.store.list(resource.table, name).length;
    }
    if (left === 0) cluster.store.remove('namespaces', storageKey(undefined, name));
    else again();
  };
  const again = (): void => {
    // A webhook may refuse: it is tried until the server ends.
    const later = (): void => void sweep().catch(again);
    if (!cluster.closing.signal.aborted) setTimeout(later, AGAIN_MS).unref();
  };
  void sweep().catch(again);
}
