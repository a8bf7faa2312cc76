import { ENABLED, ENCLAVE_LABEL, INJECT_LABEL } from '../../names/labels.ts';
import type { ListOptions } from '../../platform/kube/kube.ts';
import { hasEnded } from '../../platform/kube/pod-phase.ts';
import type { Pod } from '../../platform/kube/resources.ts';

/** A pod that has not ended; it may be about to. */
export function runs(pod: Pod): boolean {
  return !hasEnded(pod);
}

/** A pod that neither ended nor is about to: only such a one gets certificates, and its users theirs. */
export function isLiving(pod: Pod): boolean {
  return runs(pod) && pod.metadata?.deletionTimestamp === undefined;
}

/** Ids of launched enclaves that have a pod that runs. */
export function launchedEnclaves(pods: readonly Pod[]): ReadonlySet<string> {
  return new Set(pods.filter(runs).flatMap(({ metadata }) => metadata?.labels?.[ENCLAVE_LABEL] ?? []));
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
