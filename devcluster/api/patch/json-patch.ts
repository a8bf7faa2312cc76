import jsonpatch from 'fast-json-patch';
import { ApiError, badRequest } from '../api-error.ts';
import type { Fields } from '../object.ts';

type Operation = Parameters<typeof jsonpatch.applyPatch>[1][number];

/** RFC 6902. The document is not changed; a failed `test` or a path that is not there is a 422, as kube-apiserver says it. */
export function applyJsonPatch(document: Fields, patch: unknown): Fields {
  if (!Array.isArray(patch)) throw badRequest('error decoding patch: no JSON array of operations');
  const broken = jsonpatch.validate(patch as Operation[]);
  if (broken !== undefined) throw badRequest(`error decoding patch: ${broken.name}`);
  try {
    return jsonpatch.applyPatch(structuredClone(document), patch as Operation[], true).newDocument;
  } catch (error) {
    const why = error instanceof Error ? error.name : 'failed';
    throw new ApiError(
      422,
      'Invalid',
      `the server rejected our request due to an error in our request: ${why}`,
    );
  }
}
