import { isDeepStrictEqual } from 'node:util';
import { admitMutating, admitValidating } from '../admission/admit.ts';
import { ApiError, badRequest, causes, conflict, invalid, notFound } from '../api-error.ts';
import type { Call } from '../call.ts';
import { rulesOf } from '../kinds/rules-table.ts';
import type { Fields, KubeObject } from '../object.ts';
import { storageKey } from '../resource.ts';
import { check, validateBody } from './create.ts';
import { decode, withDefaults } from './decode.ts';
import { remove } from './delete.ts';
import { validateMetadata } from './validate-metadata.ts';

const ATTEMPTS = 5;

/** PUT: the body replaces the object (or its subresource); its resourceVersion, if any, must be the held one. */
export async function update(call: Call, body: unknown): Promise<KubeObject> {
  return change(call, () => body);
}

/**
 * Changes an object by a function of what is held now, through admission and validation, in the order of
 * kube-apiserver. Tried again when another write came between, unless the new object insists on a resourceVersion.
 */
export async function change(call: Call, from: (current: KubeObject) => unknown): Promise<KubeObject> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await changeOnce(call, from);
    } catch (error) {
      if (!(error instanceof Superseded)) throw error;
      if (attempt === ATTEMPTS) throw conflict(call.resource, call.request.name);
    }
  }
}

/** Another write came between reading and storing. */
class Superseded extends Error {}

async function changeOnce(call: Call, from: (current: KubeObject) => unknown): Promise<KubeObject> {
  const { cluster, resource, request } = call;
  const rules = rulesOf(resource);
  const key = storageKey(resource.namespaced ? request.namespace : undefined, request.name);
  const old = cluster.store.get(resource.table, key);
  if (old === undefined) throw notFound(resource, request.name);
  const body = decode(call, from(old));
  if (body.metadata.name !== undefined && body.metadata.name !== request.name)
    throw badRequest(
      `the name of the object (${body.metadata.name}) does not match the name on the URL (${request.name})`,
    );
  requireVersion(call, body, old);
  const shown = old;
  const wanted = keepSystemFields(subresource(call, body, shown), old);
  const object = await admitMutating(call, wanted, shown, (changed) => withDefaults(call, changed));
  keepSystemFields(object, old);
  if (request.subresource === '') rules.prepareUpdate?.(call, object, shown);
  if (resource.generation && !isDeepStrictEqual(wantedPart(object), wantedPart(shown)))
    object.metadata.generation = (old.metadata.generation ?? 0) + 1;
  check(call, object, [
    ...validateMetadata(call, object),
    ...(await validateBody(call, object, shown)),
    ...(rules.validateUpdate?.(object, shown, request.subresource) ?? []),
  ]);
  rules.review?.(call, object, shown);
  await admitValidating(call, object, shown);
  if (cluster.store.get(resource.table, key) !== old) throw new Superseded();
  if (call.dryRun || isDeepStrictEqual(withoutVersion(object), withoutVersion(shown))) return object;
  const gone = object.metadata.deletionTimestamp !== undefined && !object.metadata.finalizers?.length;
  if (gone && (object.metadata.deletionGracePeriodSeconds ?? 0) === 0) return remove(call, key, object);
  const stored = cluster.store.put(resource.table, key, object);
  rules.updated?.(call, stored);
  return stored;
}

function requireVersion(call: Call, body: KubeObject, old: KubeObject): void {
  const { resourceVersion, uid } = body.metadata;
  if (uid !== undefined && uid !== '' && uid !== old.metadata.uid)
    throw conflict(
      call.resource,
      call.request.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`,
    );
  if (resourceVersion === undefined || resourceVersion === '') {
    if (call.resource.unconditionalUpdate || call.request.verb === 'patch') return;
    throw invalid(call.resource, call.request.name, [
      causes.invalid('metadata.resourceVersion', 0, 'must be specified for an update'),
    ]);
  }
  if (resourceVersion !== old.metadata.resourceVersion) throw conflict(call.resource, call.request.name);
}

/** What of the body counts for the subresource asked for. */
function subresource(call: Call, body: KubeObject, old: KubeObject): KubeObject {
  const { subresource } = call.request;
  const rule = rulesOf(call.resource).subresources?.[subresource];
  if (rule !== undefined) return rule(body, old);
  if (subresource === 'status' && call.resource.custom)
    return {
      ...old,
      status: body['status'],
      metadata: { ...old.metadata, resourceVersion: body.metadata.resourceVersion },
    };
  if (subresource === 'status') return { ...old, status: body['status'], metadata: body.metadata };
  if (subresource !== '')
    throw new ApiError(404, 'NotFound', 'the server could not find the requested resource');
  // Where there is a status subresource, the main resource never changes status.
  if (!('status' in call.resource.subresources)) return body;
  const { status: _, ...main } = body;
  return old['status'] === undefined
    ? (main as KubeObject)
    : ({ ...main, status: old['status'] } as KubeObject);
}

function keepSystemFields(object: KubeObject, old: KubeObject): KubeObject {
  const kept = object.metadata as unknown as Fields;
  delete kept['managedFields'];
  for (const name of [
    'name',
    'namespace',
    'generateName',
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'resourceVersion',
    'generation',
  ] as const) {
    const value = old.metadata[name];
    if (value === undefined) delete kept[name];
    else if (name !== 'generation' || kept[name] === undefined) kept[name] = value;
  }
  return object;
}

/** Everything that generation counts. */
function wantedPart(object: KubeObject): Fields {
  const { metadata: _metadata, status: _status, apiVersion: _apiVersion, ...rest } = object;
  return rest;
}

function withoutVersion(object: KubeObject): Fields {
  return { ...object, metadata: { ...object.metadata, resourceVersion: '' } };
}
