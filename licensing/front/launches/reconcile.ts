import type { LaunchedPod } from '../../../proto/gen/enclave_licensing/launcher/v1/launcher.ts';
import { type EnclaveRecord, SEATED_STATES } from '../../store/enclave-record.ts';

export interface Discrepancies {
  /** Enclaves with a pod that no seat stands for: to be removed. */
  readonly orphans: readonly string[];
  /** Ready enclaves whose pod is gone or has ended: to be failed, which frees the seat. */
  readonly lost: readonly { readonly id: string; readonly reason: string }[];
}

/**
 * Compares store and cluster. `before` was read before the pods were listed and `after` afterwards, so that a launch between
 * the two is neither an orphan (its seat was written before its pod) nor lost.
 */
export function findDiscrepancies(
  before: readonly EnclaveRecord[],
  pods: readonly LaunchedPod[],
  after: readonly EnclaveRecord[],
): Discrepancies {
  const seated = new Set(after.filter((each) => SEATED_STATES.includes(each.state)).map((each) => each.id));
  const orphans = new Set(pods.map((pod) => pod.enclave).filter((id) => !seated.has(id)));
  const stillReady = new Set(after.filter((each) => each.state === 'ready').map((each) => each.id));
  const byEnclave = new Map(pods.map((pod) => [pod.enclave, pod]));
  const lost = before
    .filter((each) => each.state === 'ready' && stillReady.has(each.id))
    .flatMap(({ id }) => {
      const pod = byEnclave.get(id);
      if (pod === undefined) return [{ id, reason: 'its pod is gone' }];
      if (pod.podPhase === 'Failed' || pod.podPhase === 'Succeeded')
        return [{ id, reason: `its pod ended: ${pod.reason || pod.podPhase}` }];
      return [];
    });
  return { orphans: [...orphans], lost };
}
