import { type Result, success } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import { decodeBundle } from '../../formats/evidence/bundle.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import type { Statement } from '../../formats/evidence/statement.ts';
import type { PcrSelection } from '../../formats/evidence/trust-document.ts';
import { ANYTHING } from '../../verify/policy/anything.ts';
import type { Policy } from '../../verify/policy/policy.ts';
import { verifyRequestEvidence } from '../../verify/request.ts';
import type { TpmSeen } from '../../verify/verdict.ts';
import { type CertsCode, refuseCerts } from '../code.ts';
import type { ReadRequest } from './request.ts';

/** What evidence in a request is judged against. */
export interface EvidenceTrust {
  readonly roots: Roots;
  readonly rootSets: readonly string[];
  readonly pcrSelection: PcrSelection;
  /** Nonces that count: the current epoch and the previous one. */
  readonly epochs: readonly Uint8Array[];
  readonly seen: readonly TpmSeen[];
}

export interface VerifiedEvidence {
  readonly statement: Statement;
  readonly tpm: TpmSeen;
}

/**
 * A cluster's certificate says what was verified, and each client's policy says whether that is enough: emulated TPMs and any PCR values
 * pass here, and stand in the evidence that the client judges. Pod, images and owner are compared with the API server, not with a list.
 */
const ISSUING_POLICY: Policy = {
  ...ANYTHING,
  // The epoch bounds the age tighter than this; what is left is the difference of two clocks.
  maxAge: 300,
};

/** The evidence inside a request, verified: attestation key, quote, PCR selection, epoch, and that it covers the request's key. */
export function readEnclaveEvidence(
  crypto: Crypto,
  request: ReadRequest,
  trust: EvidenceTrust,
  now: number,
): Result<VerifiedEvidence, CertsCode> {
  const { evidence } = request.csr.attributes;
  if (evidence === undefined)
    return refuseCerts(
      'evidence-missing',
      'the request carries no evidence',
      'let the agent prove the key, and sign the request again with the evidence inside',
    );
  const bundle = decodeBundle(evidence);
  if (!bundle.ok) return refuseCerts('evidence-refused', bundle.message, bundle.remedy);
  const verdict = verifyRequestEvidence(bundle.value, ISSUING_POLICY, {
    crypto,
    now,
    trust: trust.roots,
    rootSets: trust.rootSets,
    pcrSelection: trust.pcrSelection,
    seen: trust.seen,
    epochs: trust.epochs,
    spki: request.csr.spki,
  });
  if (verdict.ok && verdict.statement && verdict.remember)
    return success({ statement: verdict.statement, tpm: verdict.remember });
  const failed = verdict.checks.find((each) => each.ok === false);
  return refuseCerts(
    'evidence-refused',
    `${verdict.code ?? 'nothing verified'}: expected ${failed?.expected ?? 'a good verdict'}, got ${failed?.actual ?? 'none'}`,
    'ask the agent for fresh evidence over this key',
  );
}
