import type { Cluster } from '../cluster.ts';
import { type Fields, isFields, type KubeObject } from '../object.ts';
import type { Resource } from '../resource.ts';
import { normalize } from '../schema/normalize.ts';

/** A custom resource in the form that its schema gives it: unknown fields pruned, defaults filled in. */
export function normalizeCustom(
  cluster: Cluster,
  resource: Resource,
  object: KubeObject,
  unknown: string[],
): KubeObject {
  const schema = cluster.customSchemas.get(`${resource.table}/${resource.version}`)?.source ?? {};
  const { apiVersion, kind, metadata, ...rest } = object;
  const cleaned = clean(schema, rest, '', unknown) as Fields;
  const kept = normalize('ObjectMeta', metadata, unknown);
  return { apiVersion, kind, metadata: kept, ...cleaned } as unknown as KubeObject;
}

/** Walks value and schema together (KEP-2862 pruning, structural defaulting). */
function clean(schema: Fields, value: unknown, path: string, unknown: string[]): unknown {
  if (Array.isArray(value)) {
    const element = schema['items'];
    return isFields(element)
      ? value.map((each, index) => clean(element, each, `${path}[${index}]`, unknown))
      : value;
  }
  if (!isFields(value)) return value;
  const properties = isFields(schema['properties']) ? schema['properties'] : {};
  const additional = schema['additionalProperties'];
  const keeps = schema['x-kubernetes-preserve-unknown-fields'] === true || additional === true;
  const result: Fields = {};
  for (const [name, member] of Object.entries(value)) {
    const at = path === '' ? name : `${path}.${name}`;
    const known = properties[name];
    if (isFields(known)) {
      // An explicit null where there is a default means: take the default.
      if (member !== null || known['nullable'] === true) result[name] = clean(known, member, at, unknown);
    } else if (isFields(additional)) result[name] = clean(additional, member, at, unknown);
    else if (keeps) result[name] = member;
    else unknown.push(at);
  }
  for (const [name, known] of Object.entries(properties))
    if (isFields(known) && known['default'] !== undefined && result[name] === undefined)
      result[name] = clean(known, structuredClone(known['default']), path, unknown);
  return result;
}
