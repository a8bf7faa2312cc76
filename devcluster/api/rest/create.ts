import { randomInt, randomUUID } from 'node:crypto';
import { admitMutating, admitValidating } from '../admission/admit.ts';
import {
  ApiError,
  alreadyExists,
  badRequest,
  type Cause,
  forbidden,
  invalid,
  notFound,
} from '../api-error.ts';
import type { Call } from '../call.ts';
import { writeOnceBreaches } from '../custom/write-once.ts';
import { rulesOf } from '../kinds/rules-table.ts';
import { type Fields, type KubeObject, timestamp } from '../object.ts';
import { storageKey } from '../resource.ts';
import { decode, withDefaults } from './decode.ts';
import { validateMetadata } from './validate-metadata.ts';

/** Without vowels and look-alikes, as names from generateName are made. */
const SUFFIX_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** POST: decodes, admits, validates and stores a new object, in the order of kube-apiserver. */
export async function create(call: Call, body: unknown): Promise<KubeObject> {
  const { cluster, resource, dryRun } = call;
  const rules = rulesOf(resource);
  const decoded = decode(call, body);
  if (decoded.metadata.resourceVersion !== undefined && decoded.metadata.resourceVersion !== '')
    throw badRequest('resourceVersion should not be set on objects to be created');
  wipeSystemFields(decoded);
  requireNamespace(call, decoded.metadata.name ?? '');
  const object = await admitMutating(call, decoded, undefined, (changed) => withDefaults(call, changed));
  fillMetadata(call, object);
  if (resource.generation) object.metadata.generation = 1;
  if (resource.custom && 'status' in resource.subresources) delete object['status'];
  rules.prepareCreate?.(call, object);
  check(call, object, [...validateMetadata(call, object), ...(await validateBody(call, object))]);
  rules.review?.(call, object, undefined);
  await admitValidating(call, object, undefined);
  const key = storageKey(object.metadata.namespace, object.metadata.name);
  if (cluster.store.get(resource.table, key)) throw alreadyExists(resource, object.metadata.name);
  requireNamespace(call, object.metadata.name);
  if (dryRun) return object;
  const stored = cluster.store.put(resource.table, key, object);
  rules.created?.(call, stored);
  return stored;
}

/** By the rules of the kind, or by the schema of a custom resource. */
export async function validateBody(call: Call, object: KubeObject, old?: KubeObject): Promise<Cause[]> {
  const { resource, cluster } = call;
  if (!resource.custom) return (await rulesOf(resource).validate?.(object)) ?? [];
  const schema = cluster.customSchemas.get(`${resource.table}/${resource.version}`);
  return schema === undefined
    ? []
    : [...schema.validate(object), ...writeOnceBreaches(schema.source, object, old)];
}

export function check(call: Call, object: KubeObject, found: readonly Cause[]): void {
  if (found.length > 0) throw invalid(call.resource, object.metadata.name ?? '', found);
}

/** NamespaceLifecycle: nothing is created in a namespace that is not there or is going. */
function requireNamespace(call: Call, name: string): void {
  const { cluster, resource, request } = call;
  if (!resource.namespaced || request.namespace === undefined) return;
  const namespace = cluster.store.get('namespaces', storageKey(undefined, request.namespace));
  if (namespace === undefined)
    throw notFound({ group: '', plural: 'namespaces', kind: 'Namespace' }, request.namespace);
  if (namespace.metadata.deletionTimestamp !== undefined) {
    const refused = forbidden(
      resource,
      name,
      `unable to create new content in namespace ${request.namespace} because it is being terminated`,
    );
    throw new ApiError(403, 'Forbidden', refused.message, {
      ...refused.details,
      causes: [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${request.namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    });
  }
}

function wipeSystemFields(object: KubeObject): void {
  const metadata = object.metadata as unknown as Fields;
  for (const name of [
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'resourceVersion',
    'selfLink',
    'managedFields',
  ])
    delete metadata[name];
}

function fillMetadata(call: Call, object: KubeObject): void {
  const { metadata } = object;
  if ((metadata.name === undefined || metadata.name === '') && metadata.generateName)
    metadata.name = `${metadata.generateName.slice(0, 58)}${suffix()}`;
  if (metadata.generateName === '') delete metadata.generateName;
  metadata.uid = randomUUID();
  metadata.creationTimestamp = timestamp(call.cluster.now());
}

function suffix(): string {
  return Array.from({ length: 5 }, () => SUFFIX_ALPHABET.charAt(randomInt(SUFFIX_ALPHABET.length))).join('');
}
