import type { Result } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import type { Statement } from '../../formats/evidence/statement.ts';
import type { PcrSelection } from '../../formats/evidence/trust-document.ts';
import type { TpmTrust } from '../../formats/x509/bindings.ts';
import { type CertsCode, refuseCerts } from '../code.ts';
import type { ReadRequest } from './request.ts';

/** What evidence in a request is judged against. */
export interface EvidenceTrust {
  readonly roots: Roots;
  readonly pcrSelection: PcrSelection;
  /** Nonces that count: the current epoch and the previous one. */
  readonly epochs: readonly Uint8Array[];
}

export interface VerifiedEvidence {
  readonly statement: Statement;
  readonly tpmTrust: TpmTrust;
}

/** The evidence inside a request, verified: attestation key, quote, PCR selection, epoch, and that it covers the request's key. */
export function readEnclaveEvidence(
  _crypto: Crypto,
  _request: ReadRequest,
  _trust: EvidenceTrust,
  _now: number,
): Result<VerifiedEvidence, CertsCode> {
  return refuseCerts(
    'evidence-missing',
    'the request carries no evidence',
    'ask the agent to prove the key first',
  );
}
