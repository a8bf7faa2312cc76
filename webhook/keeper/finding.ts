/** What the keeper reports, by what is wrong. A metric's label, and in other letters an Event's reason. */
export const FINDING_REASONS = [
  /** The pod runs without a sidecar. */
  'sidecar-missing',
  /** It has one that neither this release nor its predecessor injects. */
  'sidecar-differs',
  /** Its sidecar was given roots that are not, or no longer, ours. */
  'roots-unknown',
  /** It breaks another rule of enclave pods: an image without a digest, a namespace of the host. */
  'rule-broken',
  /** It runs where the webhook injects nothing and `exec` is not refused. */
  'namespace-unlabelled',
  /** The app of a self-deployed enclave answers past its sidecar. */
  'upstream-reachable',
  /** Somebody else's network policy has the name of ours. */
  'policy-name-taken',
  /** Somebody else's network policy opens enclave pods. */
  'policy-opens-port',
  /** Ours could not be written. */
  'policy-failed',
] as const;
export type FindingReason = (typeof FINDING_REASONS)[number];

/** What a finding is about, as an Event names it. */
export interface FoundObject {
  readonly apiVersion: string;
  readonly kind: 'Pod' | 'NetworkPolicy';
  readonly namespace: string;
  readonly name: string;
  /** Empty for an object that does not exist. */
  readonly uid: string;
}

export interface Finding {
  readonly reason: FindingReason;
  readonly about: FoundObject;
  /** What is wrong and what to do, in sentences. */
  readonly message: string;
}

/** Names a finding while it lasts. */
export function findingKey({ reason, about }: Finding): string {
  return `${reason}/${about.namespace}/${about.name}/${about.uid}`;
}
