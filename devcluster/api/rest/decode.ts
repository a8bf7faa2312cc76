import { badRequest } from '../api-error.ts';
import type { Call } from '../call.ts';
import { toStored } from '../kinds/present.ts';
import { rulesOf } from '../kinds/rules-table.ts';
import { ensure, type Fields, isFields, type KubeObject, text } from '../object.ts';
import { apiVersionOf } from '../resource.ts';

/** A request body as an object of the resource that the URL names, with its defaults. The body is copied. */
export function decode(call: Call, body: unknown): KubeObject {
  const { resource, request } = call;
  if (!isFields(body)) throw badRequest('the body of the request is no object');
  const apiVersion = apiVersionOf(resource);
  const object = structuredClone(body);
  object['apiVersion'] ??= apiVersion;
  object['kind'] ??= resource.kind;
  if (object['apiVersion'] !== apiVersion || object['kind'] !== resource.kind)
    throw badRequest(
      `${text(object['kind'])} in version "${text(object['apiVersion'])}" cannot be handled as a ${resource.kind}: expected ${resource.kind} in version "${apiVersion}"`,
    );
  const metadata = ensure(object, 'metadata');
  if (resource.namespaced) {
    metadata['namespace'] ??= request.namespace;
    if (metadata['namespace'] === '') metadata['namespace'] = request.namespace;
    if (metadata['namespace'] !== request.namespace)
      throw badRequest(
        'the namespace of the provided object does not match the namespace sent on the request',
      );
  } else delete metadata['namespace'];
  return withDefaults(call, toStored(call, object as KubeObject));
}

/** The same object after something changed it: defaults filled in again. */
export function withDefaults(call: Call, object: KubeObject): KubeObject {
  dropNulls(object);
  rulesOf(call.resource).defaults?.(object);
  return object;
}

function dropNulls(value: Fields): void {
  for (const [name, member] of Object.entries(value)) {
    if (member === null) delete value[name];
    else if (isFields(member)) dropNulls(member);
    else if (Array.isArray(member)) for (const each of member) if (isFields(each)) dropNulls(each);
  }
}
