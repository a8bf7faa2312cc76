import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import { type Attest, decodeAttest, decodeAttestHeader, type QuoteInfo } from '../../formats/tpm/attest.ts';
import { decodeSignature, type Signature, signatureToScheme } from '../../formats/tpm/signature.ts';
import type { PublicKeyKind } from '../../formats/x509/public-key.ts';
import { fails, holds, type Outcome } from '../check-log.ts';
import type { AttestationKey } from './attestation-key.ts';

/** A TPMS_ATTEST that says it is a quote. */
export interface ReadQuote {
  readonly attest: Attest;
  readonly info: QuoteInfo;
}

/** A quote whose signature verified. */
export interface Quote extends ReadQuote {
  readonly signature: Signature;
}

/** TPM_GENERATED_VALUE (TPM 2.0 Library part 2, 6.2). */
const MAGIC = 0xff544347;
const hex = (value: number) => `0x${value.toString(16).padStart(8, '0')}`;

/** Magic, structure and type of a quote. */
export function readQuote(bytes: Uint8Array): Outcome<ReadQuote> {
  const attest = decodeAttest(bytes);
  if (!attest.ok) {
    const header = decodeAttestHeader(bytes);
    return header.ok && header.value.magic !== MAGIC
      ? fails('quote-magic', `TPM_GENERATED_VALUE (${hex(MAGIC)})`, hex(header.value.magic))
      : fails('quote-malformed', 'a TPMS_ATTEST', attest.message);
  }
  const { attested } = attest.value;
  return attested.kind === 'quote'
    ? holds({ attest: attest.value, info: attested }, 'TPM_ST_ATTEST_QUOTE')
    : fails('quote-not-a-quote', 'TPM_ST_ATTEST_QUOTE', `TPM_ST_ATTEST_${attested.kind.toUpperCase()}`);
}

/** extraData of a TPMS_ATTEST, also of one that `readQuote` refuses for its magic or for what follows. */
export function readExtraData(bytes: Uint8Array, read: Outcome<ReadQuote>): Outcome<Uint8Array> {
  if (read.ok) return holds(read.value.attest.extraData, '');
  const header = decodeAttestHeader(bytes);
  return header.ok ? holds(header.value.extraData, '') : read;
}

/** Bytes of a coordinate of the key's curve. */
const COORDINATE: Readonly<Record<PublicKeyKind, number>> = {
  p256: 32,
  p384: 48,
  'rsa-2048': 0,
  'rsa-3072': 0,
  'rsa-4096': 0,
};

/**
 * TPM_GENERATED_VALUE, type quote, and a signature over these bytes by the attestation key, in that key's own scheme.
 * Whether the key may sign only what its TPM made is the next check's question.
 */
export function checkQuoteSignature(
  bundle: Pick<Bundle, 'attest' | 'signature'>,
  read: Outcome<ReadQuote>,
  key: AttestationKey,
  crypto: Crypto,
): Outcome<Quote> {
  if (!read.ok) return read;
  const expected = `magic ff544347, a quote, signed with ${key.scheme}`;
  const decoded = decodeSignature(bundle.signature);
  if (!decoded.ok) return fails('quote-signature', expected, `no TPMT_SIGNATURE: ${decoded.message}`);
  const signature = decoded.value;
  const encoded = signatureToScheme(signature);
  if (!encoded.ok || encoded.value.scheme !== key.scheme)
    return fails('quote-signature', expected, `a signature ${signature.kind} with ${signature.hash}`);
  // A TPM may leave leading zeros out; one that adds them would give one signature many forms.
  if (signature.kind === 'ecdsa' && Math.max(signature.r.length, signature.s.length) > COORDINATE[key.kind])
    return fails('quote-signature', expected, 'a number of more bytes than the curve has');
  return crypto.verifySignature(key.spki, key.scheme, bundle.attest, encoded.value.bytes)
    ? holds({ ...read.value, signature }, expected)
    : fails('quote-signature', expected, 'a signature that does not verify');
}
