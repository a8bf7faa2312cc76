import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import {
  CERTIFICATE_SIGNING_REQUESTS,
  type CertificateSigningRequest,
} from '../../platform/kube/resources.ts';
import { lastChange, stateOf } from './request-state.ts';

/** Milliseconds that a finished request is kept, so that whoever asked reads the answer. */
export const KEEP_FINISHED_MS = 60_000;
/** And one that nobody could decide: the asker has made another long ago. */
export const KEEP_UNDECIDED_MS = 3_600_000;

/** When a request is to be deleted, milliseconds since the epoch. */
export function deletionTime(object: CertificateSigningRequest): number {
  return lastChange(object) + (stateOf(object) === 'finished' ? KEEP_FINISHED_MS : KEEP_UNDECIDED_MS);
}

/** Deletes those whose time has come: exactly the objects seen, not others of the same name. */
export async function cleanUp(
  kube: Kube,
  objects: readonly CertificateSigningRequest[],
  now: number,
): Promise<number> {
  let deleted = 0;
  for (const object of objects) {
    const { name, uid } = object.metadata ?? {};
    if (name === undefined || uid === undefined || deletionTime(object) > now) continue;
    try {
      if (await kube.delete(CERTIFICATE_SIGNING_REQUESTS, { name }, { uid })) deleted += 1;
    } catch (error) {
      if (!isKubeError(error, 'Conflict')) throw error;
    }
  }
  return deleted;
}
