import { randomUUID } from 'node:crypto';
import { ApiError, badRequest, internalError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { present } from '../kinds/present.ts';
import { dig, type Fields, isFields, type KubeObject, text, texts } from '../object.ts';
import { applyJsonPatch } from '../patch/json-patch.ts';
import { type MatchedWebhook, operationOf } from './match.ts';
import { postReview } from './post-review.ts';

const REVIEW_VERSION = 'admission.k8s.io/v1';
const DEFAULT_TIMEOUT_SECONDS = 10;
const FREE_OF_SIDE_EFFECTS = ['None', 'NoneOnDryRun'];

export interface Review {
  /** RFC 6902 operations of a mutating webhook. */
  readonly patch: unknown;
}

/**
 * Asks one webhook. Throws its refusal; when it cannot be asked, throws too or (failurePolicy Ignore) answers
 * `undefined`. Its warnings go to the caller of the API.
 */
export async function callWebhook(
  call: Call,
  webhook: MatchedWebhook,
  object: KubeObject | undefined,
  old: KubeObject | undefined,
): Promise<Review | undefined> {
  const { name, settings } = webhook;
  if (call.dryRun && !FREE_OF_SIDE_EFFECTS.includes(text(settings['sideEffects'])))
    throw badRequest(`admission webhook "${name}" does not support dry run`);
  const request = reviewRequest(call, object, old);
  let response: Fields;
  try {
    const seconds = Number(settings['timeoutSeconds'] ?? DEFAULT_TIMEOUT_SECONDS);
    const answer = await postReview(call.cluster, settings['clientConfig'], seconds, {
      kind: 'AdmissionReview',
      apiVersion: REVIEW_VERSION,
      request,
    });
    response = checkAnswer(answer, text(request['uid']));
  } catch (error) {
    if (settings['failurePolicy'] === 'Ignore') return undefined;
    const why = error instanceof Error ? error.message : String(error);
    throw internalError(`failed calling webhook "${name}": failed to call webhook: ${why}`);
  }
  call.warnings.push(...texts(response['warnings']));
  if (response['allowed'] !== true) throw denied(name, response['status']);
  return { patch: decodePatch(response) };
}

/** The object after a webhook's patch. */
export function applyReview(object: KubeObject, patch: unknown, name: string): KubeObject {
  try {
    return applyJsonPatch(object, patch) as KubeObject;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw internalError(`failed calling webhook "${name}": unable to apply its patch: ${why}`);
  }
}

function reviewRequest(call: Call, object: KubeObject | undefined, old: KubeObject | undefined): Fields {
  const { resource, request, user } = call;
  const kind = { group: resource.group, version: resource.version, kind: resource.kind };
  const named = { group: resource.group, version: resource.version, resource: resource.plural };
  const sub = request.subresource === '' ? {} : { subResource: request.subresource };
  const operation = operationOf(call);
  const optionsKind =
    { CREATE: 'CreateOptions', DELETE: 'DeleteOptions' }[operation] ??
    (request.verb === 'patch' ? 'PatchOptions' : 'UpdateOptions');
  const name = request.name === '' ? (object?.metadata.name ?? old?.metadata.name ?? '') : request.name;
  return {
    uid: randomUUID(),
    kind,
    resource: named,
    ...sub,
    requestKind: kind,
    requestResource: named,
    ...(request.subresource === '' ? {} : { requestSubResource: request.subresource }),
    ...(name === '' ? {} : { name }),
    ...(resource.namespaced || resource.table === 'namespaces'
      ? { namespace: request.namespace ?? name }
      : {}),
    operation,
    userInfo: {
      username: user.username,
      ...(user.uid === undefined ? {} : { uid: user.uid }),
      groups: user.groups,
      extra: user.extra,
    },
    object: object === undefined ? null : present(call, object),
    oldObject: old === undefined ? null : present(call, old),
    dryRun: call.dryRun,
    options: { kind: optionsKind, apiVersion: 'meta.k8s.io/v1' },
  };
}

function checkAnswer(answer: unknown, uid: string): Fields {
  const response = dig(answer, 'response');
  if (dig(answer, 'kind') !== 'AdmissionReview' || dig(answer, 'apiVersion') !== REVIEW_VERSION)
    throw new Error(
      `received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${text(dig(answer, 'apiVersion'))}, Kind=${text(dig(answer, 'kind'))}`,
    );
  if (!isFields(response)) throw new Error('received invalid webhook response: webhook response was absent');
  if (response['uid'] !== uid)
    throw new Error(
      `received invalid webhook response: expected response.uid="${uid}", got "${text(response['uid'])}"`,
    );
  if (response['patch'] !== undefined && response['patchType'] !== 'JSONPatch')
    throw new Error(
      'received invalid webhook response: webhook returned response.patch but not response.patchType',
    );
  return response;
}

function decodePatch(response: Fields): unknown {
  const patch = text(response['patch']);
  return patch === '' ? undefined : JSON.parse(Buffer.from(patch, 'base64').toString('utf8'));
}

function denied(name: string, status: unknown): ApiError {
  const by = `admission webhook "${name}" denied the request`;
  const said = text(dig(status, 'message')) || text(dig(status, 'reason'));
  const code = Number(dig(status, 'code') ?? 0);
  const details = dig(status, 'details');
  return new ApiError(
    code < 400 ? 400 : code,
    text(dig(status, 'reason')),
    said === '' ? `${by} without explanation` : `${by}: ${said}`,
    isFields(details) ? details : undefined,
  );
}
