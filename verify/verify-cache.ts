import { concat, toHex } from '../formats/bytes/bytes.ts';
import type { Result } from '../formats/bytes/result.ts';
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
import type { Outcome } from './check-log.ts';
import { type AttestationKey, readAttestationKey } from './checks/attestation-key.ts';
import type { Quote } from './checks/quote-signature.ts';

const MAX_ENTRIES = 1024;

/** Holds at most so many entries; the oldest go first. */
class BoundedMap<V> {
  readonly #entries = new Map<string, V>();

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    const [oldest] = this.#entries.size < MAX_ENTRIES ? [] : this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(key, value);
  }
}

/** The signed parts of a bundle, and what was found when they were judged before. */
export interface QuoteMemory extends Pick<Bundle, 'attest' | 'signature' | 'attestationKeyPublic'> {
  readonly known: Outcome<Quote> | undefined;
  /** For a signature that verified; what does not hold is not kept. */
  keep(outcome: Outcome<Quote>): void;
}

/**
 * Remembers what never changes: certificates that were read, who signed them, and quotes whose signature and key held,
 * each by the hash of everything that went in. Dates, names, leaves, nonces, statements and policies are checked anew
 * every time. Pass one to `verify` and `verifyChain` when the same keys and certificates come again; it holds no
 * secret. Trust anchors are known by identity: who changes the bytes of a root that was passed in passes another one.
 */
export class VerifyCache {
  readonly #certificates = new BoundedMap<Certificate>();
  readonly #keys = new BoundedMap<Outcome<AttestationKey>>();
  readonly #quotes = new BoundedMap<Outcome<Quote>>();
  readonly #roots = new WeakMap<Uint8Array, Result<Certificate, X509Code>>();
  readonly #rootSets = new WeakMap<Roots, string>();
  readonly #issuers = new WeakMap<Certificate, WeakSet<Certificate>>();

  /** `parseCertificate`, from memory when these bytes were read before. */
  certificate(crypto: Crypto, der: Uint8Array): Result<Certificate, X509Code> {
    const key = toHex(crypto.hash('sha256', der));
    const known = this.#certificates.get(key);
    if (known) return { ok: true, value: known };
    // A copy, so that nobody who still holds the bytes changes what is remembered.
    const parsed = parseCertificate(concat(der));
    if (parsed.ok) this.#certificates.set(key, parsed.value);
    return parsed;
  }

  /** `parseCertificate` of a trust anchor. */
  root(der: Uint8Array): Result<Certificate, X509Code> {
    const known = this.#roots.get(der);
    if (known) return known;
    const parsed = parseCertificate(der);
    this.#roots.set(der, parsed);
    return parsed;
  }

  /** `rootsSha256` of a set of trust anchors. */
  rootsSha256(crypto: Crypto, roots: Roots): string {
    const hash = this.#rootSets.get(roots) ?? rootsSha256(crypto, rootsToJson(roots));
    this.#rootSets.set(roots, hash);
    return hash;
  }

  /** Whether `issuer` signed `certificate`; both came out of this cache. */
  signed(crypto: Crypto, certificate: Certificate, issuer: Certificate): boolean {
    const issuers = this.#issuers.get(certificate) ?? new WeakSet();
    if (issuers.has(issuer)) return true;
    const verified = verifyCertificateSignature(crypto, certificate, issuer.spki);
    if (verified) this.#issuers.set(certificate, issuers.add(issuer));
    return verified;
  }

  /** `readAttestationKey`, from memory when these bytes were read before. */
  attestationKey(crypto: Crypto, bytes: Uint8Array): Outcome<AttestationKey> {
    const name = toHex(crypto.hash('sha256', bytes));
    const known = this.#keys.get(name);
    if (known) return known;
    const read = readAttestationKey(concat(bytes), crypto);
    if (read.ok) this.#keys.set(name, read);
    return read;
  }

  /** What is known of this attest, signature and key. The parts are copies, as what is kept refers to them. */
  quote(crypto: Crypto, { attest, signature, attestationKeyPublic: key }: Bundle): QuoteMemory {
    const lengths = new Writer().u32(attest.length).u32(signature.length).finish();
    const input = concat(lengths, attest, signature, key);
    const name = toHex(crypto.hash('sha256', input));
    const signatureAt = lengths.length + attest.length;
    const keyAt = signatureAt + signature.length;
    return {
      attest: input.subarray(lengths.length, signatureAt),
      signature: input.subarray(signatureAt, keyAt),
      attestationKeyPublic: input.subarray(keyAt),
      known: this.#quotes.get(name),
      keep: (outcome) => this.#quotes.set(name, outcome),
    };
  }
}
