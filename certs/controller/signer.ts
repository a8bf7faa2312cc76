import type { Result } from '../../formats/bytes/result.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import {
  CERTIFICATE_SIGNING_REQUESTS,
  type CertificateSigningRequest,
} from '../../platform/kube/resources.ts';
import { type CertsCode, type CertsRefusal, refuseCerts } from '../code.ts';
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
  const { judge, sign, onDecision } = options;
  const verdict = await judge(object);
  const issued = verdict.ok ? sign(verdict.value) : verdict;
  const refusal = issued.ok ? await publish(options.kube, object, issued.value) : issued;
  if (refusal !== undefined) {
    await fail(options, object, refusal);
    onDecision(object, refusal.code, refusal.message);
  } else if (issued.ok) onDecision(object, 'issued', `until ${rfc3339(issued.value.notAfter * 1000)}`);
}

/** Puts the certificate where the requester reads it. The API server's own view of certificates is final: asking again would not help. */
async function publish(
  kube: Kube,
  object: CertificateSigningRequest,
  issued: Issued,
): Promise<CertsRefusal | undefined> {
  const certificate = Buffer.from(encodePem('CERTIFICATE', issued.certificate)).toString('base64');
  try {
    await kube.replace(
      CERTIFICATE_SIGNING_REQUESTS,
      { ...object, status: { ...object.status, certificate } },
      'status',
    );
    return undefined;
  } catch (error) {
    if (!isKubeError(error, 'Invalid')) throw error;
    return refuseCerts(
      'certificate-rejected',
      `the API server: ${error.message}`,
      'this is a defect: report it',
    );
  }
}

async function fail(
  { kube, now }: SignerOptions,
  object: CertificateSigningRequest,
  refusal: CertsRefusal,
): Promise<void> {
  const time = rfc3339(now());
  const failed = {
    type: 'Failed',
    status: 'True',
    reason: refusal.code,
    message: `${refusal.message}; ${refusal.remedy}`.slice(0, MAX_MESSAGE),
    lastUpdateTime: time,
    lastTransitionTime: time,
  };
  const conditions = [...(object.status?.conditions ?? []), failed];
  await kube.replace(
    CERTIFICATE_SIGNING_REQUESTS,
    { ...object, status: { ...object.status, conditions } },
    'status',
  );
}
