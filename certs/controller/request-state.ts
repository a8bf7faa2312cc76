import type { CertificateSigningRequest } from '../../platform/kube/resources.ts';
import type { RequestObject } from '../evaluate/request.ts';

/** Where a CertificateSigningRequest stands; each loop minds one of the states. */
export type RequestState = 'new' | 'approved' | 'finished';

export function stateOf(object: CertificateSigningRequest): RequestState {
  const { conditions = [], certificate } = object.status ?? {};
  const has = (type: string): boolean =>
    conditions.some((each) => each.type === type && each.status !== 'False');
  if (certificate || has('Denied') || has('Failed')) return 'finished';
  return has('Approved') ? 'approved' : 'new';
}

/** The judged part of an object; absent fields become empty ones, which every rule refuses. */
export function requestObject(object: CertificateSigningRequest): RequestObject {
  const { metadata = {}, spec } = object;
  return {
    name: metadata.name ?? '',
    annotations: metadata.annotations ?? {},
    signerName: spec.signerName,
    username: spec.username ?? '',
    extra: spec.extra ?? {},
    usages: spec.usages ?? [],
    expirationSeconds: spec.expirationSeconds,
    request: spec.request,
  };
}

/** When it was decided or signed, or made; milliseconds. The latest of what the object says. */
export function lastChange(object: CertificateSigningRequest): number {
  const times = [
    object.metadata?.creationTimestamp,
    ...(object.status?.conditions ?? []).flatMap((each) => [each.lastUpdateTime, each.lastTransitionTime]),
  ];
  return Math.max(0, ...times.map((time) => (time === undefined ? 0 : Date.parse(time) || 0)));
}
