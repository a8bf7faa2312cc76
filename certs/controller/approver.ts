import type { Kube } from '../../platform/kube/kube.ts';
import {
  CERTIFICATE_SIGNING_REQUESTS,
  type CertificateSigningRequest,
} from '../../platform/kube/resources.ts';
import type { Judge, Outcome } from './judge.ts';
import { rfc3339 } from './rfc3339.ts';

export interface ApproverOptions {
  readonly kube: Kube;
  readonly judge: Judge;
  /** Milliseconds. */
  now(): number;
  onDecision(object: CertificateSigningRequest, outcome: Outcome, message: string): void;
}

const MAX_MESSAGE = 2000;

/**
 * Approves or denies one new request. The reason stands where the API server keeps it: the code in the condition's `reason`, what was wrong
 * and what helps in its `message`.
 */
export async function approveOrDeny(
  options: ApproverOptions,
  object: CertificateSigningRequest,
): Promise<void> {
  const { kube, judge, now, onDecision } = options;
  const verdict = await judge(object);
  const time = rfc3339(now());
  const condition = verdict.ok
    ? { type: 'Approved', reason: 'approved', message: 'everything that this signer asks for was verified' }
    : {
        type: 'Denied',
        reason: verdict.code,
        message: `${verdict.message}; ${verdict.remedy}`.slice(0, MAX_MESSAGE),
      };
  const conditions = [
    ...(object.status?.conditions ?? []),
    { ...condition, status: 'True', lastUpdateTime: time, lastTransitionTime: time },
  ];
  // The object's version goes with it: what changed meanwhile is a Conflict, and is judged again.
  await kube.replace(
    CERTIFICATE_SIGNING_REQUESTS,
    { ...object, status: { ...object.status, conditions } },
    'approval',
  );
  onDecision(object, verdict.ok ? 'approved' : verdict.code, condition.message);
}
