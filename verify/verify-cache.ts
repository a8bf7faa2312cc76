import { concat, toHex } from '../formats/bytes/bytes.ts';
import type { Result } from '../formats/bytes/result.ts';
import { Writer } from '../formats/bytes/writer.ts';
import type { Crypto } from '../formats/crypto/crypto.ts';
import { type Certificate, parseCertificate } from '../formats/x509/certificate.ts';
import type { X509Code } from '../formats/x509/x509-code.ts';

const MAX_ENTRIES = 1024;

/** Holds at most so many entries; the oldest go first. */
class BoundedMap<V> {
  readonly #entries = new Map<string, V>();

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    if (this.#entries.size >= MAX_ENTRIES)
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    this.#entries.set(key, value);
  }
}

/**
 * Remembers what never changes: certificates that were read and signatures that verified, by the hash of everything
 * that went in. Dates, names, nonces and policies are always checked anew. Pass one to `verify` and `verifyChain`
 * when the same keys and certificates come again; it holds no secret.
 */
export class VerifyCache {
  readonly #certificates = new BoundedMap<Certificate>();
  readonly #signatures = new BoundedMap<true>();

  /** `crypto` with signatures that verified before answered from memory. */
  crypto(crypto: Crypto): Crypto {
    return {
      hash: crypto.hash,
      verifySignature: (spki, scheme, message, signature) => {
        const input = new Writer().sized32(spki).sized32(signature).bytes(message).finish();
        const key = `${scheme} ${toHex(crypto.hash('sha256', input))}`;
        if (this.#signatures.get(key)) return true;
        const verified = crypto.verifySignature(spki, scheme, message, signature);
        if (verified) this.#signatures.set(key, true);
        return verified;
      },
    };
  }

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
}
