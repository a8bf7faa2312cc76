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
import type { AttestationKey } from './checks/attestation-key.ts';
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

/** What was found of one quote and key; only outcomes that hold are kept. */
export interface KnownQuote {
  signature?: Outcome<Quote>;
  key?: Outcome<AttestationKey>;
  signer?: Outcome<undefined>;
}

/**
 * Remembers what never changes: certificates that were read, who signed them, and quotes whose signature and key held,
 * each by the hash of everything that went in. Dates, names, leaves, nonces, statements and policies are checked anew
 * every time. Pass one to `verify` and `verifyChain` when the same keys and certificates come again; it holds no
 * secret. Trust anchors are known by identity: who changes the bytes of a root that was passed in passes another one.
 */
export class VerifyCache {
  readonly #certificates = new BoundedMap<Certificate>();
  readonly #quotes = new BoundedMap<KnownQuote>();
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

  /** What is known of this attest, signature and key; the caller adds to it. */
  quote(crypto: Crypto, { attest, signature, attestationKeyPublic }: Bundle): KnownQuote {
    const lengths = new Writer().u32(attest.length).u32(signature.length).finish();
    const input = concat(lengths, attest, signature, attestationKeyPublic);
    const key = toHex(crypto.hash('sha256', input));
    const known = this.#quotes.get(key);
    if (known) return known;
    const fresh: KnownQuote = {};
    this.#quotes.set(key, fresh);
    return fresh;
  }
}
