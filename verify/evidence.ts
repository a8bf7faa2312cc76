import type { Bundle } from '../formats/evidence/bundle.ts';
import type { Statement } from '../formats/evidence/statement.ts';
import type { CheckLog, Step } from './check-log.ts';
import { checkAttestationKey, checkQualifiedSigner } from './checks/attestation-key.ts';
import { checkBatchProof, checkQualifyingData } from './checks/batch.ts';
import { type CertifiedKey, checkAttestationKeyChain, checkTpmTrust } from './checks/certificate-chains.ts';
import { checkAccepted, checkAccess, checkImages } from './checks/claims.ts';
import { checkClock, checkKnownTpm } from './checks/clock.ts';
import { checkPcrDigest, checkPcrSelection, checkPcrValues } from './checks/pcrs.ts';
import { checkQuoteSignature } from './checks/quote-signature.ts';
import { checkStatement, type Freshness } from './checks/statement.ts';
import type { EvidenceContext } from './context.ts';
import type { Policy } from './policy/policy.ts';
import type { TpmSeen } from './verdict.ts';
import type { KnownQuote } from './verify-cache.ts';

/** What the TPM said, once its quote verified. */
export interface QuoteSteps {
  readonly statement: Step<Statement>;
  readonly certified: Step<CertifiedKey>;
  /** Runs the checks of PCRs and of the TPM's order in time; they come late in the protocol's order. */
  state(freshness: Step<Freshness>): Step<TpmSeen>;
}

/** From the bundle's bytes to a statement that a certified attestation key of an accepted TPM signed. */
export function checkQuote(
  log: CheckLog,
  shape: Step<Bundle>,
  policy: Policy,
  context: EvidenceContext,
): QuoteSteps {
  const { crypto, cache, pcrSelection, seen = [] } = context;

  const known: KnownQuote = cache && shape.result ? cache.quote(crypto, shape.result.value) : {};

  const root = log.check('batch-proof', [shape], (bundle) => checkBatchProof(bundle, crypto));
  const covered = log.check('qualifying-data', [shape, root], (bundle, hash) =>
    checkQualifyingData(bundle, hash, crypto, known.signature),
  );
  const quote = log.check('quote-signature', [shape], (bundle) =>
    remembered(known, 'signature', () => checkQuoteSignature(bundle, crypto)),
  );
  const key = log.check('attestation-key', [shape, quote], (bundle, signed) =>
    remembered(known, 'key', () => checkAttestationKey(bundle, signed, crypto)),
  );
  const signer = log.check('qualified-signer', [key, quote], (ak, signed) =>
    remembered(known, 'signer', () => checkQualifiedSigner(ak, signed, crypto)),
  );
  const certified = log.check('attestation-key-chain', [shape, key], (bundle, ak) =>
    checkAttestationKeyChain(bundle, ak, policy, context),
  );
  log.check('tpm-trust', [certified], (ak) => checkTpmTrust(ak, policy));
  const statement = log.check('statement', [shape], checkStatement, [covered, signer, certified]);

  const state = (freshness: Step<Freshness>) => {
    const selection = log.check('pcr-selection', [shape, quote], (bundle, signed) =>
      checkPcrSelection(bundle, signed, policy, pcrSelection),
    );
    const digest = log.check(
      'pcr-digest',
      [shape, quote],
      (bundle, signed) => checkPcrDigest(bundle, signed, crypto),
      [selection],
    );
    log.check('pcr-values', [shape], (bundle) => checkPcrValues(bundle, policy), [digest]);
    const known = log.check('known-tpm', [certified], (ak) => checkKnownTpm(ak, seen));
    return log.check('clock', [quote, certified, key, known, freshness], checkClock);
  };
  return { statement, certified, state };
}

/** An outcome that held before is not computed again. */
function remembered<K extends keyof KnownQuote>(
  known: KnownQuote,
  which: K,
  check: () => Required<KnownQuote>[K],
) {
  const before = known[which];
  if (before !== undefined) return before;
  const outcome = check();
  if (outcome.ok) known[which] = outcome;
  return outcome;
}

/** The pod's claims against the policy. */
export function checkClaims(log: CheckLog, statement: Step<Statement>, policy: Policy): void {
  log.check('namespace', [statement], ({ pod }) =>
    checkAccepted('namespace-refused', policy.namespaces, pod.namespace),
  );
  log.check('service-account', [statement], ({ pod }) =>
    checkAccepted('service-account-refused', policy.serviceAccounts, pod.serviceAccount),
  );
  log.check('enclave', [statement], ({ pod }) =>
    checkAccepted('enclave-refused', policy.enclaves, pod.enclave),
  );
  log.check('images', [statement], (claims) => checkImages(claims, policy));
  log.check('spec', [statement], ({ pod }) =>
    checkAccepted('spec-refused', policy.specSha256, pod.specSha256),
  );
  log.check('access', [statement], (claims) => checkAccess(claims, policy));
}
