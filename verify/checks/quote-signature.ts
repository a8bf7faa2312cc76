import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import { type Attest, decodeAttest, type QuoteInfo } from '../../formats/tpm/attest.ts';
import { decodePublic, publicToSpki } from '../../formats/tpm/public.ts';
import { decodeSignature, type Signature, signatureToScheme } from '../../formats/tpm/signature.ts';
import { fails, holds, type Outcome } from '../check-log.ts';

/** A quote whose signature verified. */
export interface Quote {
  readonly attest: Attest;
  readonly info: QuoteInfo;
  readonly signature: Signature;
}

/**
 * TPM_GENERATED_VALUE, type quote, and a signature over these bytes by the attestation key. What kind of key that
 * is, is the next check's question.
 */
export function checkQuoteSignature(bundle: Bundle, crypto: Crypto): Outcome<Quote> {
  const attest = decodeAttest(bundle.attest);
  if (!attest.ok) return fails('quote-malformed', 'a TPMS_ATTEST', attest.message);
  const { attested } = attest.value;
  if (attested.kind !== 'quote') return fails('quote-not-a-quote', 'TPM_ST_ATTEST_QUOTE', attested.kind);
  const signature = decodeSignature(bundle.signature);
  if (!signature.ok) return fails('quote-signature', 'a TPMT_SIGNATURE', signature.message);
  const key = decodePublic(bundle.attestationKeyPublic);
  if (!key.ok) return fails('attestation-key-malformed', 'a TPMT_PUBLIC', key.message);
  const spki = publicToSpki(key.value);
  if (!spki.ok)
    return fails('attestation-key-malformed', 'a key of the size that its parameters say', spki.message);
  const scheme = signatureToScheme(signature.value);
  if (!scheme.ok) return fails('quote-signature', 'SHA-256 or SHA-384', scheme.message);
  const { scheme: algorithm, bytes } = scheme.value;
  return crypto.verifySignature(spki.value, algorithm, bundle.attest, bytes)
    ? holds(
        { attest: attest.value, info: attested, signature: signature.value },
        `${algorithm} by the attestation key`,
      )
    : fails('quote-signature', `${algorithm} by the attestation key`, 'a signature that does not verify');
}
