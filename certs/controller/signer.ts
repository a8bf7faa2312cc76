import type { Result } from '../../formats/bytes/result.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import {
  CERTIFICATE_SIGNING_REQUESTS,
  type CertificateSigningRequest,
} from '../../platform/kube/resources.ts';
import type { CertsCode } from '../code.ts';
import type { Issued } from '../issue/issue.ts';
import type { CertificateProfile } from '../issue/profile.ts';
import type { Judge, Outcome } from './judge.ts';
import { rfc3339 } from './rfc3339.ts';

export interface SignerOptions {
  readonly kube: Kube;
  readonly judge: Judge;
  sign(profile: CertificateProfile): Result<Issued, CertsCode>;
  /** Milliseconds. */
  now(): number;
  onDecision(object: CertificateSigningRequest, outcome: Outcome, message: string): void;
}

const MAX_MESSAGE = 2000;

/**
 * Signs one approved request. It is judged once more: an approval says that somebody with that right approved, not that what we verify is
 * true, nor that it still is. What does not pass, or can never be signed, gets the condition Failed.
 */
export async function signApproved(options: SignerOptions, object: CertificateSigningRequest): Promise<void> {
  const { kube, judge, sign, now, onDecision } = options;
  const verdict = await judge(object);
  const issued = verdict.ok ? sign(verdict.value) : verdict;
  const time = rfc3339(now());
  const status = issued.ok
    ? {
        ...object.status,
        certificate: Buffer.from(encodePem('CERTIFICATE', issued.value.certificate)).toString('base64'),
      }
    : {
        ...object.status,
        conditions: [
          ...(object.status?.conditions ?? []),
          {
            type: 'Failed',
            status: 'True',
            reason: issued.code,
            message: `${issued.message}; ${issued.remedy}`.slice(0, MAX_MESSAGE),
            lastUpdateTime: time,
            lastTransitionTime: time,
          },
        ],
      };
  await kube.replace(CERTIFICATE_SIGNING_REQUESTS, { ...object, status }, 'status');
  if (issued.ok) onDecision(object, 'issued', `until ${rfc3339(issued.value.notAfter * 1000)}`);
  else onDecision(object, issued.code, issued.message);
}
