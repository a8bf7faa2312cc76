import { concat, equal } from '../formats/bytes/bytes.ts';
import { type Result, success } from '../formats/bytes/result.ts';
import { Writer } from '../formats/bytes/writer.ts';
import type { Crypto } from '../formats/crypto/crypto.ts';
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

/** The signed parts of a bundle, and what was found when they were judged before. */
export interface QuoteMemory extends Pick<Bundle, 'attest' | 'signature' | 'attestationKeyPublic'> {
  readonly known: Outcome<Quote> | undefined;
  /** For a signature that verified; what does not hold is not kept. */
  keep(outcome: Outcome<Quote>): void;
}

/** A set of trust anchors and its hash; good as long as the set holds the same ones. */
interface KnownRoots {
  readonly ders: readonly Uint8Array[];
  readonly sha256: string;
}

/**
 * Remembers what never changes: certificates and keys that were read, who signed what, and which paths are sound apart
 * from their dates. Each is found by all the bytes that went in (a quote by the SHA-256 of attest, signature and key),
 * and of quotes, keys and paths only what held is kept. Dates, names, leaves, nonces, statements and policies are checked anew every time. Bounded,
 * and without secrets: pass one to `verify` and `verifyChain` when the same keys and certificates come again.
 */
export class VerifyCache {
  readonly #certificates = new BytesMap<Certificate>();
  readonly #keys = new BytesMap<Outcome<AttestationKey>>();
  readonly #quotes = new BytesMap<Outcome<Quote>>();
  readonly #roots = new WeakMap<Uint8Array, Certificate>();
  readonly #rootSets = new WeakMap<Roots, KnownRoots>();
  readonly #sha256 = new WeakMap<Certificate, Uint8Array>();
  readonly #issuers = new WeakMap<Certificate, WeakMap<Certificate, boolean>>();
  readonly #paths = new WeakMap<Certificate, { path: readonly Certificate[]; purpose: string }>();
  readonly #input = new Writer();

  /** `parseCertificate`, from memory when these bytes were read before. */
  certificate(der: Uint8Array): Result<Certificate, X509Code> {
    const known = this.#certificates.get(der);
    if (known) return success(known);
    // A copy, so that nobody who still holds the bytes changes what is remembered.
    const parsed = parseCertificate(concat(der));
    if (parsed.ok) this.#certificates.set(parsed.value.der, parsed.value);
    return parsed;
  }

  /** `parseCertificate` of a trust anchor, which is held by the caller and never crowded out. */
  root(der: Uint8Array): Result<Certificate, X509Code> {
    const known = this.#roots.get(der);
    if (known && equal(known.der, der)) return success(known);
    const parsed = parseCertificate(concat(der));
    if (parsed.ok) this.#roots.set(der, parsed.value);
    return parsed;
  }

  /** SHA-256 of the DER of a certificate that came out of this cache. */
  sha256(crypto: Crypto, certificate: Certificate): Uint8Array {
    const hash = this.#sha256.get(certificate) ?? crypto.hash('sha256', certificate.der);
    this.#sha256.set(certificate, hash);
    return hash;
  }

  /** `rootsSha256` of a set of trust anchors. */
  rootsSha256(crypto: Crypto, roots: Roots): string {
    const ders = ISSUERS.flatMap((issuer) => roots[issuer]);
    const known = this.#rootSets.get(roots);
    if (known?.ders.length === ders.length && known.ders.every((der, i) => der === ders[i]))
      return known.sha256;
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

  /** Whether this path was found sound for this purpose; its certificates came out of this cache. */
  sound(path: readonly Certificate[], purpose: string): boolean {
    const known = path[0] && this.#paths.get(path[0]);
    return (
      known?.purpose === purpose &&
      known.path.length === path.length &&
      known.path.every((certificate, i) => certificate === path[i])
    );
  }

  keepSound(path: readonly Certificate[], purpose: string): void {
    if (path[0]) this.#paths.set(path[0], { path, purpose });
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

  /** What is known of this attest, signature and key. */
  quote(crypto: Crypto, { attest, signature, attestationKeyPublic }: Bundle): QuoteMemory {
    const input = this.#input.reset().sized32(attest).sized32(signature).bytes(attestationKeyPublic);
    const name = crypto.hash('sha256', input.view());
    const known = this.#quotes.get(name);
    const keep = (outcome: Outcome<Quote>) => this.#quotes.set(name, outcome);
    if (known) return { attest, signature, attestationKeyPublic, known, keep };
    // A copy, as what is kept refers to it.
    const copy = input.finish();
    const signatureAt = 4 + attest.length + 4;
    return {
      attest: copy.subarray(4, 4 + attest.length),
      signature: copy.subarray(signatureAt, signatureAt + signature.length),
      attestationKeyPublic,
      known,
      keep,
    };
  }
}
