import { type ApiError, badRequest } from '../api-error.ts';
import type { Call } from '../call.ts';
import { normalizeCustom } from '../custom/normalize-custom.ts';
import { toStored } from '../kinds/present.ts';
import { rulesOf } from '../kinds/rules-table.ts';
import { ensure, isFields, type KubeObject, text } from '../object.ts';
import { apiVersionOf } from '../resource.ts';
import { DecodeError, normalize } from '../schema/normalize.ts';

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
      `${text(object['kind'])} in version "${text(object['apiVersion'])}" cannot be handled as a ${resource.kind}: the API version in the data does not match the expected API version (${apiVersion}, Kind=${resource.kind})`,
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
  const unknown: string[] = [];
  const decoded = normalized(call, toStored(call, object as KubeObject), unknown);
  report(call, unknown);
  return decoded;
}

/** The same object after admission changed it: normal form and defaults again. */
export function withDefaults(call: Call, object: KubeObject): KubeObject {
  return normalized(call, object, []);
}

function normalized(call: Call, object: KubeObject, unknown: string[]): KubeObject {
  const { resource } = call;
  try {
    const normal = resource.custom
      ? normalizeCustom(call.cluster, resource, object, unknown)
      : (normalize(resource.kind, object, unknown) as KubeObject);
    rulesOf(resource).defaults?.(normal);
    return normal;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw cannotHandle(call, error.message);
  }
}

function cannotHandle({ resource }: Call, why: string): ApiError {
  return badRequest(
    `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: ${why}`,
  );
}

/** Unknown fields are dropped; whether somebody hears of it is up to the request's `fieldValidation`. */
function report(call: Call, unknown: readonly string[]): void {
  if (unknown.length === 0) return;
  const mode = call.query.get('fieldValidation') ?? 'Warn';
  const said = unknown.map((path) => `unknown field "${path}"`);
  if (mode === 'Strict') throw cannotHandle(call, `strict decoding error: ${said.join(', ')}`);
  if (mode === 'Warn') call.warnings.push(...said);
}
