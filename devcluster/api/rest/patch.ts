import { ApiError, badRequest, unsupportedMediaType } from '../api-error.ts';
import type { Call } from '../call.ts';
import { present } from '../kinds/present.ts';
import { type Fields, fields, isFields, type KubeObject } from '../object.ts';
import { applyJsonPatch } from '../patch/json-patch.ts';
import { applyMergePatch } from '../patch/merge-patch.ts';
import { applyStrategicMerge } from '../patch/strategic-merge.ts';
import { change } from './update.ts';

const JSON_PATCH = 'application/json-patch+json';
const MERGE_PATCH = 'application/merge-patch+json';
const STRATEGIC_MERGE_PATCH = 'application/strategic-merge-patch+json';

/** PATCH in one of three forms; a custom resource knows no strategic merge. */
export async function patch(call: Call, mediaType: string, body: unknown): Promise<KubeObject> {
  const accepted = [JSON_PATCH, MERGE_PATCH, ...(call.resource.custom ? [] : [STRATEGIC_MERGE_PATCH])];
  if (!accepted.includes(mediaType)) throw unsupportedMediaType(accepted);
  if (mediaType !== JSON_PATCH && !isFields(body)) throw badRequest('the patch is no object');
  return change(call, (current) => {
    // The version that is patched is only insisted on when the patch names it.
    const shown = structuredClone(present(call, current)) as unknown as Fields;
    const held = fields(shown['metadata'])['resourceVersion'];
    const patched = apply(mediaType, call, shown, body);
    const { resourceVersion: version, ...metadata } = fields(patched['metadata']);
    const named = version !== held || mentionsVersion(mediaType, body);
    return { ...patched, metadata: { ...metadata, ...(named ? { resourceVersion: version } : {}) } };
  });
}

function mentionsVersion(mediaType: string, body: unknown): boolean {
  return mediaType !== JSON_PATCH && fields(fields(body)['metadata'])['resourceVersion'] !== undefined;
}

function apply(mediaType: string, call: Call, document: Fields, body: unknown): Fields {
  if (mediaType === JSON_PATCH) return applyJsonPatch(document, body);
  if (mediaType === STRATEGIC_MERGE_PATCH)
    return applyStrategicMerge(call.resource.kind, document, fields(body));
  const patched = applyMergePatch(document, body);
  if (!isFields(patched)) throw new ApiError(422, 'Invalid', 'the patched object is no object');
  return patched;
}
