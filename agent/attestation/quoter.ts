import { concat, equal } from '../../formats/bytes/bytes.ts';
import type { Crypto, HashAlgorithm } from '../../formats/crypto/crypto.ts';
import type { PcrSelection } from '../../formats/evidence/trust-document.ts';
import { decodeAttest } from '../../formats/tpm/attest.ts';
import { encodePublic } from '../../formats/tpm/public.ts';
import { decodeSignature } from '../../formats/tpm/signature.ts';
import { type PcrValue, quote, readPcrs, type TpmQuote } from '../../tpm/quote.ts';
import type { TpmSession } from './tpm-owner.ts';

/** A quote, the values of exactly the PCRs it covers, and the key that made it. */
export interface AgentQuote extends TpmQuote {
  readonly selection: PcrSelection;
  readonly pcrValues: readonly PcrValue[];
  /** TPMT_PUBLIC. */
  readonly attestationKeyPublic: Uint8Array;
}

const ATTEMPTS = 4;

/**
 * Quotes with the PCR values that belong to the quote. They are read only when the quote's digest is another than last
 * time: PCRs hardly change after boot, and each TPM command costs.
 */
export class Quoter {
  readonly #crypto: Crypto;
  #known: { selection: PcrSelection; values: readonly PcrValue[] } | undefined;

  constructor(crypto: Crypto) {
    this.#crypto = crypto;
  }

  async quote(session: TpmSession, selection: PcrSelection, qualifyingData: Uint8Array): Promise<AgentQuote> {
    const { tpm, attestationKey } = session;
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const made = await quote(tpm, attestationKey.handle, qualifyingData, selection);
      const attest = decodeAttest(made.attest);
      if (!attest.ok || attest.value.attested.kind !== 'quote')
        throw new Error('the TPM quoted something else');
      const { pcrDigest } = attest.value.attested;
      const hash = signingHash(made);
      if (!this.#fits(selection, hash, pcrDigest))
        this.#known = { selection, values: await readPcrs(tpm, selection) };
      // Otherwise a PCR was extended between quote and reading: once more.
      if (this.#known !== undefined && this.#fits(selection, hash, pcrDigest))
        return {
          ...made,
          selection,
          pcrValues: this.#known.values,
          attestationKeyPublic: encodePublic(attestationKey.public),
        };
    }
    throw new Error(`PCRs changed during ${ATTEMPTS} quotes one after the other`);
  }

  #fits(selection: PcrSelection, hash: HashAlgorithm, pcrDigest: Uint8Array): boolean {
    if (this.#known === undefined || !sameSelection(this.#known.selection, selection)) return false;
    const digest = this.#crypto.hash(hash, concat(...this.#known.values.map((value) => value.digest)));
    return equal(digest, pcrDigest);
  }
}

/** The algorithm of a quote's PCR digest is the one that the key signs with (part 1, 18.4.4; part 3, 18.4), whatever the PCRs' bank. */
function signingHash({ signature }: TpmQuote): HashAlgorithm {
  const decoded = decodeSignature(signature);
  if (!decoded.ok) throw new Error(`the TPM signed in a way that nobody verifies: ${decoded.message}`);
  const { hash } = decoded.value;
  if (hash !== 'sha256' && hash !== 'sha384') throw new Error(`the attestation key signs with ${hash}`);
  return hash;
}

function sameSelection(a: PcrSelection, b: PcrSelection): boolean {
  return a.hash === b.hash && a.pcrs.join() === b.pcrs.join();
}
