import { ENABLED, ENCLAVE_LABEL, INJECT_LABEL } from '../../names/labels.ts';
import type { ListOptions } from '../../platform/kube/kube.ts';
import type { Pod } from '../../platform/kube/resources.ts';

/** A pod whose containers have ended for good. One that is being deleted may go on for as long as its grace period. */
export function hasEnded(pod: Pod): boolean {
  return ['Succeeded', 'Failed'].includes(pod.status?.phase ?? '');
}

/** A pod that neither ended nor is about to: what it is certified for, and who may have a certificate for it. */
export function isLiving(pod: Pod): boolean {
  return pod.metadata?.deletionTimestamp === undefined && !hasEnded(pod);
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
