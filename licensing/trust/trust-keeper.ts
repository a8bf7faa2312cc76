import { readFile } from 'node:fs/promises';
import { equal } from '../../formats/bytes/bytes.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import { parseRoots, type Roots, rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import { acceptTrustDocument, type TrustDocument } from '../../formats/evidence/trust-document.ts';
import { type Live, liveValue, type Settable } from '../../platform/run/live.ts';
import type { SignedTrustDocument } from '../../proto/gen/enclave_licensing/evidence/v1/trust_document.ts';

export interface Trust {
  readonly roots: Roots;
  readonly document: TrustDocument;
  readonly signed: SignedTrustDocument;
}

/**
 * What this process trusts: the roots it was started with, then each trust document that a `system` root already held has signed. Goes
 * forward only.
 */
export class TrustKeeper {
  /** Undefined until the first document. */
  readonly trust: Settable<Trust | undefined> = liveValue<Trust | undefined>(undefined);
  readonly #systemRoots: Settable<readonly Uint8Array[]>;
  readonly #crypto: Crypto;
  #roots: Roots;

  constructor(crypto: Crypto, roots: Roots) {
    this.#crypto = crypto;
    this.#roots = roots;
    this.#systemRoots = liveValue(roots.system);
  }

  get roots(): Roots {
    return this.#roots;
  }

  /** For TLS with other components; changes only when the roots do, not with every document. */
  get systemRoots(): Live<readonly Uint8Array[]> {
    return this.#systemRoots;
  }

  get version(): number {
    return this.trust.current()?.document.version ?? 0;
  }

  /** Is this set of roots (by its hash) one that pods may carry: the newest document's list, or what this process was started with? */
  acceptsRoots(sha256: string): boolean {
    const { document } = this.trust.current() ?? {};
    if (document !== undefined) return document.rootSets.includes(sha256);
    return rootsSha256(this.#crypto, rootsToJson(this.#roots)) === sha256;
  }

  /** Takes a newer document; the reason when it is not taken. */
  offer(signed: SignedTrustDocument): string | undefined {
    const accepted = acceptTrustDocument(this.#crypto, signed, { roots: this.#roots, version: this.version });
    if (!accepted.ok) return accepted.message;
    const document = accepted.value;
    const { system } = document.roots;
    const held = this.#systemRoots.current();
    this.#roots = document.roots;
    if (
      system.length !== held.length ||
      !system.every((der, at) => equal(der, held[at] ?? new Uint8Array(0)))
    )
      this.#systemRoots.set(system);
    this.trust.set({ roots: document.roots, document, signed });
    return undefined;
  }
}

/** @throws with one clear line when the file cannot be read or holds no roots */
export async function keepTrustFrom(crypto: Crypto, file: string): Promise<TrustKeeper> {
  const roots = parseRoots(await readFile(file));
  if (!roots.ok) throw new Error(`${file}: ${roots.message}`);
  return new TrustKeeper(crypto, roots.value);
}
