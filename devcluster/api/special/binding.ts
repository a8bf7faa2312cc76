import { badRequest, conflict, notFound } from '../api-error.ts';
import type { Call } from '../call.ts';
import { dig, type Fields, fields, items, text, timestamp } from '../object.ts';
import { storageKey } from '../resource.ts';
import { specOf } from '../rules.ts';

/** POST pods/<name>/binding: assigns the pod to a node, once. */
export function bindPod(call: Call, body: unknown): Fields {
  const { cluster, request } = call;
  const node = text(dig(body, 'target', 'name'));
  const kind = text(dig(body, 'target', 'kind'));
  if (node === '' || (kind !== '' && kind !== 'Node')) throw badRequest('target: must name a Node');
  const key = storageKey(request.namespace, request.name);
  const pod = cluster.store.get('pods', key);
  if (pod === undefined) throw notFound(call.resource, request.name);
  const refuse = (why: string): never => {
    throw conflict({ group: '', plural: 'pods/binding', kind: 'Binding' }, request.name, why);
  };
  const uid = text(dig(body, 'metadata', 'uid'));
  if (uid !== '' && uid !== pod.metadata.uid)
    refuse(`Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`);
  if (pod.metadata.deletionTimestamp !== undefined)
    refuse(`pod ${request.name} is being deleted, cannot be assigned to a host`);
  const bound = text(specOf(pod)['nodeName']);
  if (bound !== '') refuse(`pod ${request.name} is already assigned to node "${bound}"`);
  const now = timestamp(cluster.now());
  const conditions = items(dig(pod, 'status', 'conditions')).filter(
    (each) => each['type'] !== 'PodScheduled',
  );
  const scheduled = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: now };
  cluster.store.put('pods', key, {
    ...pod,
    spec: { ...specOf(pod), nodeName: node },
    status: { ...fields(pod['status']), conditions: [...conditions, scheduled] },
  });
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
}
