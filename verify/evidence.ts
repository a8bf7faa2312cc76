import type { Bundle } from '../formats/evidence/bundle.ts';
import type { Statement } from '../formats/evidence/statement.ts';
import { ahead, type CheckLog, derive, type Step } from './check-log.ts';
import { checkAccepted } from './checks/accepted.ts';
import { type AttestationKey, checkAttestationKey, checkQualifiedSigner } from './checks/attestation-key.ts';
import { checkBatchProof, checkQualifyingData } from './checks/batch.ts';
import { type CertifiedKey, checkAttestationKeyChain, checkTpmTrust } from './checks/certificate-chains.ts';
import { checkAccess, checkImages } from './checks/claims.ts';
import { checkClock, checkKnownTpm } from './checks/clock.ts';
import { checkPcrDigest, checkPcrSelection, checkPcrValues } from './checks/pcrs.ts';
import type { Quote } from './checks/quote-signature.ts';
import { checkStatement, type Freshness } from './checks/statement.ts';
import type { EvidenceContext } from './context.ts';
import type { Policy } from './policy/policy.ts';
import { readQuoteParts } from './quote-parts.ts';
import type { TpmSeen } from './verdict.ts';

/** What the TPM said and what was found out about its key, for the checks that come later in the protocol's order. */
interface QuoteSteps {
  readonly shape: Step<Bundle>;
  readonly quote: Step<Quote>;
  readonly key: Step<AttestationKey>;
  readonly certified: Step<CertifiedKey>;
  readonly statement: Step<Statement>;
}

/** From the bundle's bytes to a statement that a certified attestation key signed. Whether its TPM is accepted is a line of its own. */
export function checkQuote(
  log: CheckLog,
  shape: Step<Bundle>,
  policy: Policy,
  context: EvidenceContext,
): QuoteSteps {
  const { crypto } = context;

  const parts = derive(shape, (bundle) => readQuoteParts(bundle, context));
  const extraData = ahead('quote-signature', parts.result?.value.extraData);
  const usableKey = ahead('attestation-key', parts.result?.value.key);

  const proof = log.check('batch-proof', [shape], (bundle) => checkBatchProof(bundle, crypto));
  const covered = log.check('qualifying-data', [shape, proof, extraData], (bundle, root, extra) =>
    checkQualifyingData(bundle, root, extra, crypto),
  );
  const quote = log.check('quote-signature', [parts, usableKey], ({ signed }, ak) => signed(ak));
  const key = log.check('attestation-key', [parts], ({ key }) => checkAttestationKey(key));
  const signer = log.check('qualified-signer', [key, quote], checkQualifiedSigner);
  const certified = log.check('attestation-key-chain', [shape, key], (bundle, ak) =>
    checkAttestationKeyChain(bundle, ak, policy, context),
  );
  log.check('tpm-trust', [certified], (ak) => checkTpmTrust(ak, policy));
  const statement = log.check('statement', [shape], checkStatement, [proof, covered, signer, certified]);

  return { shape, quote, key, certified, statement };
}

/** What the node booted, and that its TPM is the one seen before and did not go back. Returns what to remember. */
export function checkTpmState(
  log: CheckLog,
  { shape, quote, key, certified }: QuoteSteps,
  freshness: Step<Freshness>,
  policy: Policy,
  context: EvidenceContext,
): Step<TpmSeen> {
  const { pcrSelection, seen = [] } = context;
  const selection = log.check('pcr-selection', [shape, quote], (bundle, signed) =>
    checkPcrSelection(bundle, signed, policy, pcrSelection),
  );
  const digest = log.check(
    'pcr-digest',
    [shape, quote],
    (bundle, signed) => checkPcrDigest(bundle, signed, context),
    [selection],
  );
  log.check('pcr-values', [shape], (bundle) => checkPcrValues(bundle, policy), [digest]);
  const known = log.check('known-tpm', [certified], (ak) => checkKnownTpm(ak, seen));
  return log.check('clock', [quote, certified, key, known, freshness], checkClock);
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
