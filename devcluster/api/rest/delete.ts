import { admitDeletion } from '../admission/admit.ts';
import { badRequest, conflict, notFound } from '../api-error.ts';
import type { Call } from '../call.ts';
import { rulesOf } from '../kinds/rules-table.ts';
import { dig, type Fields, fields, type KubeObject, text, timestamp } from '../object.ts';
import { storageKey } from '../resource.ts';
import { parseSelectors } from '../selectors.ts';

/** metav1.DeleteOptions, from the body or the query. */
interface DeleteOptions {
  readonly grace: number | undefined;
  readonly uid: string;
  readonly resourceVersion: string;
}

function parseOptions(call: Call, body: unknown): DeleteOptions {
  const options = fields(body);
  const query = call.query.get('gracePeriodSeconds');
  const grace = options['gracePeriodSeconds'] ?? (query === null ? undefined : Number(query));
  if (grace !== undefined && (typeof grace !== 'number' || !Number.isInteger(grace)))
    throw badRequest('gracePeriodSeconds: must be an integer');
  return {
    grace: grace === undefined ? undefined : Math.max(grace, 0),
    uid: text(dig(options, 'preconditions', 'uid')),
    resourceVersion: text(dig(options, 'preconditions', 'resourceVersion')),
  };
}

/** DELETE of one object. Returns the object when it is still going (grace, finalizers), else a Status or the object as the kind has it. */
export async function deleteOne(call: Call, body: unknown): Promise<{ object: KubeObject; gone: boolean }> {
  const { resource, request } = call;
  const options = parseOptions(call, body);
  const key = storageKey(resource.namespaced ? request.namespace : undefined, request.name);
  await admitDeletion(call, requireObject(call, key, options));
  return marked(call, key, requireObject(call, key, options), options);
}

/** DELETE of a collection: each object as by itself; one that went in between is no error. */
export async function deleteMany(call: Call, body: unknown): Promise<KubeObject[]> {
  const { cluster, resource, request } = call;
  const options = parseOptions(call, body);
  const matches = parseSelectors(resource.kind, call.query);
  const found = cluster.store.list(resource.table, request.namespace).filter(matches);
  for (const object of found) {
    const key = storageKey(object.metadata.namespace, object.metadata.name);
    await admitDeletion(call, object);
    const held = cluster.store.get(resource.table, key);
    if (held !== undefined) marked(call, key, held, options);
  }
  return found;
}

function requireObject(call: Call, key: string, options: DeleteOptions): KubeObject {
  const { cluster, resource, request } = call;
  const held = cluster.store.get(resource.table, key);
  if (held === undefined) throw notFound(resource, request.name);
  for (const [name, wanted, is] of [
    ['UID', options.uid, held.metadata.uid],
    ['ResourceVersion', options.resourceVersion, held.metadata.resourceVersion],
  ] as const)
    if (wanted !== '' && wanted !== is)
      throw conflict(
        resource,
        request.name,
        `Precondition failed: ${name} in precondition: ${wanted}, ${name} in object meta: ${is}`,
      );
  return held;
}

/** Removes the object, or marks it as going while it has grace or finalizers. */
function marked(
  call: Call,
  key: string,
  held: KubeObject,
  options: DeleteOptions,
): { object: KubeObject; gone: boolean } {
  const { cluster, resource, dryRun } = call;
  const usual = rulesOf(resource).gracePeriod?.(held);
  const wanted = usual === undefined ? 0 : usual === 0 ? 0 : (options.grace ?? usual);
  const going = held.metadata.deletionTimestamp !== undefined;
  const before = held.metadata.deletionGracePeriodSeconds ?? 0;
  const grace = going ? Math.min(before, wanted) : wanted;
  const { going: mark } = rulesOf(resource);
  const finalizing = (held.metadata.finalizers ?? []).length > 0 || mark !== undefined;
  if (grace === 0 && !finalizing) {
    if (dryRun) return { object: held, gone: true };
    return { object: remove(call, key, held), gone: true };
  }
  if (going && grace === before) return { object: held, gone: false };
  const start = going ? Date.parse(text(held.metadata.deletionTimestamp)) - before * 1000 : cluster.now();
  const marking = {
    ...held,
    metadata: {
      ...held.metadata,
      deletionTimestamp: timestamp(start + grace * 1000),
      deletionGracePeriodSeconds: grace,
      // The intent changed, so the generation does, where a kind counts it.
      ...(held.metadata.generation === undefined || going
        ? {}
        : { generation: held.metadata.generation + 1 }),
    },
  };
  const object = mark?.(marking) ?? marking;
  return { object: dryRun ? object : cluster.store.put(resource.table, key, object), gone: false };
}

/** Takes an object out of the store. `last` is its final state, as the DELETED event shows it. */
export function remove(call: Call, key: string, last: KubeObject): KubeObject {
  const { cluster, resource } = call;
  const removed = cluster.store.remove(resource.table, key) ?? last;
  rulesOf(resource).deleted?.(call, removed);
  return removed;
}

/** Kinds whose DELETE answers with the object even when it is gone. */
const RETURNED = ['pods', 'services', 'serviceaccounts'];

/** The answer to a DELETE that removed the object: for most kinds a Status that names it. */
export function deletedAnswer(call: Call, object: KubeObject): Fields {
  const { resource } = call;
  if (RETURNED.includes(resource.table)) return object;
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: object.metadata.name,
      ...(resource.group === '' ? {} : { group: resource.group }),
      kind: resource.plural,
      uid: object.metadata.uid,
    },
  };
}
