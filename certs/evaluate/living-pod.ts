import { ENABLED, ENCLAVE_LABEL, INJECT_LABEL } from '../../names/labels.ts';
import type { ListOptions } from '../../platform/kube/kube.ts';
import type { Pod } from '../../platform/kube/resources.ts';

/** A pod that neither ended nor is about to. */
export function isLiving(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return pod.metadata?.deletionTimestamp === undefined && phase !== 'Succeeded' && phase !== 'Failed';
}

/**
 * Where an enclave's pods are: a launched id (no dot) is a label in any namespace, a self-deployed one names namespace and service account.
 * Undefined for what is no id, so that it never becomes a selector.
 */
export function podsOfEnclave(enclave: string): ListOptions | undefined {
  if (/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(enclave))
    return { labelSelector: `${ENCLAVE_LABEL}=${enclave}` };
  const match = /^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)\.[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.exec(enclave);
  const namespace = match?.[1];
  return namespace === undefined ? undefined : { namespace, labelSelector: `${INJECT_LABEL}=${ENABLED}` };
}
