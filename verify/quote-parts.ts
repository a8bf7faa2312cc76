import { concat } from '../formats/bytes/bytes.ts';
import type { Bundle } from '../formats/evidence/bundle.ts';
import type { Outcome } from './check-log.ts';
import { type AttestationKey, readAttestationKey } from './checks/attestation-key.ts';
import {
  checkQuoteSignature,
  type Quote,
  type ReadQuote,
  readExtraData,
  readQuote,
} from './checks/quote-signature.ts';
import type { EvidenceContext } from './context.ts';

/** The TPM's structures in a bundle, read before the lines of the verdict that judge them: earlier lines need them. */
export interface QuoteParts {
  /** Reported by `quote-signature`. */
  readonly quote: Outcome<ReadQuote>;
  /** Readable more often than the whole; reported by `quote-signature` too. */
  readonly extraData: Outcome<Uint8Array>;
  /** Reported by `attestation-key`. */
  readonly key: Outcome<AttestationKey>;
  signed(key: AttestationKey): Outcome<Quote>;
}

/** Reads quote and key; with a cache, bytes that were read before are not read again, nor are their signatures checked. */
export function readQuoteParts(bundle: Bundle, { crypto, cache }: EvidenceContext): QuoteParts {
  const memory = cache?.quote(bundle);
  // Without a memory's copy, one of our own: the verdict's lines are made of it, and may be read after the caller changed the bundle.
  const { attest, signature, attestationKeyPublic } = memory ?? { ...bundle, attest: concat(bundle.attest) };
  const quote = memory?.known ?? readQuote(attest);
  const key =
    cache?.attestationKey(crypto, attestationKeyPublic) ?? readAttestationKey(attestationKeyPublic, crypto);
  const signed = (by: AttestationKey) => {
    const outcome = memory?.known ?? checkQuoteSignature({ attest, signature }, quote, by, crypto);
    if (outcome.ok && !memory?.known) memory?.keep(outcome);
    return outcome;
  };
  return { quote, extraData: readExtraData(attest, quote), key, signed };
}
