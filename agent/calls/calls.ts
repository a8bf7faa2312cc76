import { randomBytes } from 'node:crypto';
import { toHex } from '../../formats/bytes/bytes.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import { parseDuration } from '../../injection/duration.ts';
import { SIGNERS } from '../../names/signers.ts';
import { CertificateDenied, requestCertificate } from '../../platform/identity/request-certificate.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { type Clock, unixSeconds } from '../../platform/run/clock.ts';
import type { TrustHolder } from '../../platform/trust/trust-holder.ts';
import type { CertifyResponse } from '../../proto/gen/enclave_licensing/agent/v1/agent.ts';
import { type AgentRefusal, type AgentResult, refuseCall } from '../code.ts';
import type { IssuedCertificates } from '../pods/issued-certificates.ts';
import type { Calls } from '../serve/router.ts';
import type { Attestor } from './attestor.ts';
import { CertificateLimit } from './certificate-limit.ts';
import {
  confirmCertificate,
  confirmKey,
  judgeCertificate,
  judgeEvidence,
  judgeRequest,
} from './judge-request.ts';

export interface CallsOptions {
  readonly kube: Kube;
  readonly crypto: Crypto;
  readonly attestor: Attestor;
  readonly trust: TrustHolder;
  readonly clock: Clock;
  /** Notes what a pod's certificate is. */
  readonly issued: Pick<IssuedCertificates, 'note'>;
}

const USAGES = ['digital signature', 'server auth'];
/** Less than a sidecar waits. */
const CERTIFY_MS = 60_000;

/** The agent's three calls, for callers that are known. */
export function createCalls(options: CallsOptions): Calls {
  const { kube, crypto, attestor, trust, clock, issued } = options;
  const limit = new CertificateLimit(clock);
  return {
    prove: async ({ certificateRequest }, { caller }) => {
      const request = judgeRequest(crypto, certificateRequest);
      if (!request.ok) return request;
      if (request.value.attributes.evidence !== undefined)
        return refuseCall(
          'certificate-request',
          'the request holds evidence already',
          'call certify with it',
        );
      const evidence = await attestor.evidence({
        claims: caller.claims,
        confirmation: confirmKey(crypto, request.value.spki),
        nonce: undefined,
        certificateChain: [],
      });
      return evidence.ok ? { ok: true, value: { evidence: evidence.value } } : evidence;
    },

    certify: async ({ certificateRequest }, { caller, signal }) => {
      const request = judgeRequest(crypto, certificateRequest);
      if (!request.ok) return request;
      const evidence = judgeEvidence(crypto, request.value, caller.claims);
      if (!evidence.ok) return evidence;
      const { uid } = caller.claims.pod;
      const expirationSeconds = parseDuration(caller.sidecar.certificateLifetime);
      return limit.one(uid, async (): Promise<AgentResult<CertifyResponse>> => {
        const patience = AbortSignal.any([signal, AbortSignal.timeout(CERTIFY_MS)]);
        const wanted = {
          name: `enclave-${uid}-${toHex(randomBytes(5))}`,
          signerName: SIGNERS.enclaves,
          usages: USAGES,
          request: certificateRequest,
          ...(expirationSeconds === undefined ? {} : { expirationSeconds }),
        };
        try {
          const certificateChain = await requestCertificate(kube, wanted, patience);
          issued.note(uid, certificateChain[0]);
          return { ok: true, value: { certificateChain } };
        } catch (error) {
          return certifyRefusal(error);
        }
      });
    },

    quote: async ({ nonce, certificateChain, certificateRequest }, connection) => {
      const { claims } = connection.caller;
      if (certificateChain.length > 0) {
        const shown = { chain: certificateChain, request: certificateRequest };
        const now = unixSeconds(clock);
        const judged = judgeCertificate(crypto, shown, claims, trust.roots, now);
        if (!judged.ok) return judged;
        connection.chain = certificateChain;
        issued.note(claims.pod.uid, certificateChain[0]);
      }
      const [leaf] = connection.chain ?? [];
      if (connection.chain === undefined || leaf === undefined)
        return refuseCall(
          'certificate-needed',
          'this connection has shown no certificate yet',
          'send certificate and request with the first quote',
        );
      const ended = endOf(leaf, unixSeconds(clock));
      if (ended !== undefined) return ended;
      const evidence = await attestor.evidence({
        claims,
        confirmation: confirmCertificate(crypto, leaf),
        nonce: nonce.length === 0 ? undefined : nonce,
        certificateChain: connection.chain,
      });
      return evidence.ok ? { ok: true, value: { evidence: evidence.value } } : evidence;
    },
  };
}

/** A connection outlives certificates: what has ended is quoted no more. */
function endOf(leaf: Uint8Array, now: number): AgentRefusal | undefined {
  const certificate = parseCertificate(leaf);
  if (certificate.ok && now <= certificate.value.notAfter) return undefined;
  return refuseCall('certificate-ended', 'the certificate has ended', 'renew it (prove, certify)');
}

function certifyRefusal(error: unknown): AgentRefusal {
  if (error instanceof CertificateDenied)
    return refuseCall('certificate-denied', error.message, 'the certificate service says what is wrong');
  if (error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError'))
    return refuseCall(
      'certificate-pending',
      'the certificate service did not answer in time',
      'try again',
      1000,
    );
  if (isKubeError(error) && error.status >= 400 && error.status < 500 && error.status !== 429)
    return refuseCall('certificate-denied', `the API server: ${error.message}`, 'see the agent’s rights');
  return refuseCall('api-server-unavailable', 'the API server does not answer', 'try again', 500);
}
