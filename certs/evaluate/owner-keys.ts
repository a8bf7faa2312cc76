import { enclaveOf } from '../../injection/enclave-of.ts';
import { readSidecar } from '../../injection/read-sidecar.ts';
import type { Pod } from '../../platform/kube/resources.ts';

/**
 * The owner keys (lower-case hex SHA-256 of the SPKI) in the sidecars' environment of an enclave's pods.
 * @param pods what the API server shows under `podsOfEnclave`
 * @param counts of which pods: `isLiving` for what is to begin, `runs` for what is to end
 */
export function ownerKeys(enclave: string, pods: readonly Pod[], counts: (pod: Pod) => boolean): string[] {
  return pods.flatMap((pod) => {
    const identity = enclaveOf(pod, pod.metadata?.namespace ?? '');
    if (!counts(pod) || !identity.ok || identity.value?.id !== enclave) return [];
    const sidecar = readSidecar(pod);
    return sidecar.ok && sidecar.value.enclave === enclave && sidecar.value.ownerKeySha256 !== undefined
      ? [sidecar.value.ownerKeySha256]
      : [];
  });
}
