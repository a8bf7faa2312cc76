import { concat, equalPublic } from '../formats/bytes/bytes.ts';
import { type Result, success } from '../formats/bytes/result.ts';
import type { Crypto, HashAlgorithm } from '../formats/crypto/crypto.ts';
import type { Bundle } from '../formats/evidence/bundle.ts';
import { type Roots, rootsSha256, rootsToJson } from '../formats/evidence/roots.ts';
import {
  type Certificate,
  parseCertificate,
  verifyCertificateSignature,
} from '../formats/x509/certificate.ts';
import type { X509Code } from '../formats/x509/x509-code.ts';
import { ISSUERS } from '../names/signers.ts';
import { BytesMap } from './bytes-map.ts';
import type { Outcome } from './check-log.ts';
import { type AttestationKey, readAttestationKey } from './checks/attestation-key.ts';
import type { Quote } from './checks/quote-signature.ts';
import { type Fingerprint, fingerprint } from './fingerprint.ts';
import { sameItems } from './same-items.ts';

/** The signed parts of a bundle, and what was found when they were judged before. */
export interface QuoteMemory extends Pick<Bundle, 'attest' | 'signature' | 'attestationKeyPublic'> {
  readonly known: Outcome<Quote> | undefined;
  /** For a signature that verified; what does not hold is not kept. */
  keep(outcome: Outcome<Quote>): void;
}

type PcrValues = NonNullable<Bundle['pcrValues']>['values'];

/** A quote whose signature verified, and the bytes of it and of its key. */
interface KnownQuote {
  readonly attest: Uint8Array;
  readonly key: Uint8Array;
  readonly outcome: Outcome<Quote>;
}

/** A path from leaf to root, and what it is sound for. */
interface SoundPath {
  readonly path: readonly Certificate[];
  readonly role: string;
  readonly usages: readonly string[];
}

/** A set of trust anchors and its hash; good as long as the set holds the same ones. */
interface KnownRoots {
  readonly ders: Roots;
  readonly sha256: string;
}

/**
 * Remembers what never changes: certificates and keys that were read, who signed what, and which paths are sound apart
 * from their dates. Each is found by all the bytes that went in (a quote by attest, signature and key), and of quotes,
 * keys and paths only what held is kept. Dates, names, leaves, nonces, statements and policies are checked anew every
 * time. Bounded, and without secrets: pass one to `verify` and `verifyChain` when the same keys and certificates come again.
 */
export class VerifyCache {
  readonly #certificates = new BytesMap<Certificate>();
  readonly #keys = new BytesMap<Outcome<AttestationKey>>();
  readonly #quotes = new BytesMap<KnownQuote>();
  readonly #pcrValues = new BytesMap<{
    readonly hash: HashAlgorithm;
    readonly digests: readonly Uint8Array[];
  }>();
  /** Apart from the others, so that no prover crowds them out. */
  readonly #roots = new BytesMap<Certificate>();
  readonly #rootSets = new WeakMap<Roots, KnownRoots>();
  readonly #fingerprints = new WeakMap<Certificate, Fingerprint>();
  readonly #issuers = new WeakMap<Certificate, WeakMap<Certificate, boolean>>();
  readonly #paths = new WeakMap<Certificate, SoundPath>();

  /** `parseCertificate`, from memory when these bytes were read before. */
  certificate(der: Uint8Array): Result<Certificate, X509Code> {
    return readOnce(this.#certificates, der);
  }

  /** The same for a trust anchor. */
  root(der: Uint8Array): Result<Certificate, X509Code> {
    return readOnce(this.#roots, der);
  }

  /** SHA-256 of the DER of a certificate that came out of this cache. */
  fingerprint(crypto: Crypto, certificate: Certificate): Fingerprint {
    const known = this.#fingerprints.get(certificate);
    if (known) return known;
    const made = fingerprint(crypto, certificate.der);
    this.#fingerprints.set(certificate, made);
    return made;
  }

  /** `rootsSha256` of a set of trust anchors. */
  rootsSha256(crypto: Crypto, roots: Roots): string {
    const known = this.#rootSets.get(roots);
    if (known && ISSUERS.every((issuer) => sameItems(known.ders[issuer], roots[issuer]))) return known.sha256;
    const ders = { ...roots };
    for (const issuer of ISSUERS) ders[issuer] = [...roots[issuer]];
    const sha256 = rootsSha256(crypto, rootsToJson(roots));
    this.#rootSets.set(roots, { ders, sha256 });
    return sha256;
  }

  /** Whether `issuer` signed `certificate`; both came out of this cache. */
  signed(crypto: Crypto, certificate: Certificate, issuer: Certificate): boolean {
    const issuers = this.#issuers.get(certificate) ?? new WeakMap<Certificate, boolean>();
    const known = issuers.get(issuer);
    if (known !== undefined) return known;
    const verified = verifyCertificateSignature(crypto, certificate, issuer.spki);
    this.#issuers.set(certificate, issuers.set(issuer, verified));
    return verified;
  }

  /** Whether this path was found sound for this role and these usages; its certificates came out of this cache. */
  sound(path: readonly Certificate[], role: string, usages: readonly string[]): boolean {
    const known = path[0] && this.#paths.get(path[0]);
    return known?.role === role && sameItems(known.usages, usages) && sameItems(known.path, path);
  }

  keepSound(path: readonly Certificate[], role: string, usages: readonly string[]): void {
    if (path[0]) this.#paths.set(path[0], { path, role, usages: [...usages] });
  }

  /** `readAttestationKey`, from memory when these bytes were read before. */
  attestationKey(crypto: Crypto, bytes: Uint8Array): Outcome<AttestationKey> {
    const known = this.#keys.get(bytes);
    if (known) return known;
    const copy = concat(bytes);
    const read = readAttestationKey(copy, crypto);
    if (read.ok) this.#keys.set(copy, read);
    return read;
  }

  /** Whether these PCR values were found to have this digest. */
  hadPcrDigest(hash: HashAlgorithm, pcrDigest: Uint8Array, values: PcrValues): boolean {
    const known = this.#pcrValues.get(pcrDigest);
    if (known?.hash !== hash || known.digests.length !== values.length) return false;
    for (let i = 0; i < values.length; i++) {
      const [one, other] = [known.digests[i], values[i]?.digest];
      if (!one || !other || !equalPublic(one, other)) return false;
    }
    return true;
  }

  keepPcrDigest(hash: HashAlgorithm, pcrDigest: Uint8Array, values: PcrValues): void {
    this.#pcrValues.set(concat(pcrDigest), { hash, digests: values.map(({ digest }) => concat(digest)) });
  }

  /** What is known of this attest, signature and key: found by the signature, and all three compared whole. */
  quote({ attest, signature, attestationKeyPublic }: Bundle): QuoteMemory {
    const known = this.#quotes.get(signature);
    if (known && equalPublic(known.attest, attest) && equalPublic(known.key, attestationKeyPublic))
      return { attest, signature, attestationKeyPublic, known: known.outcome, keep: () => undefined };
    // What is kept refers to copies.
    const [attestCopy, signatureCopy] = [concat(attest), concat(signature)];
    return {
      attest: attestCopy,
      signature: signatureCopy,
      attestationKeyPublic,
      known: undefined,
      keep: (outcome) => {
        const key = concat(attestationKeyPublic);
        this.#quotes.set(signatureCopy, { attest: attestCopy, key, outcome });
      },
    };
  }
}

function readOnce(known: BytesMap<Certificate>, der: Uint8Array): Result<Certificate, X509Code> {
  const certificate = known.get(der);
  if (certificate) return success(certificate);
  // A copy, so that nobody who still holds the bytes changes what is remembered.
  const parsed = parseCertificate(concat(der));
  if (parsed.ok) known.set(parsed.value.der, parsed.value);
  return parsed;
}
