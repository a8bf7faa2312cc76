import { equalLists } from '../../formats/bytes/bytes.ts';
import type { Result } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { EvidenceCode } from '../../formats/evidence/evidence-code.ts';
import { type Roots, rootsSha256 } from '../../formats/evidence/roots.ts';
import {
  acceptTrustDocument,
  type SignedTrustDocument,
  type TrustDocument,
} from '../../formats/evidence/trust-document.ts';
import { type Clock, systemClock } from '../run/clock.ts';
import { elapsedClock } from '../run/elapsed-clock.ts';
import { type Live, liveValue, type Settable } from '../run/live.ts';

export interface HeldDocument {
  readonly document: TrustDocument;
  /** As it goes on to sidecars. */
  readonly signed: SignedTrustDocument;
}

/**
 * What this process trusts: the roots it was started with, then those of each trust document that a `system` root already held has
 * signed. Goes forward only, and only as long as the process lives.
 */
export class TrustHolder {
  readonly #crypto: Crypto;
  readonly #held = liveValue<HeldDocument | undefined>(undefined);
  readonly #firstRoots: Roots;
  readonly #clock: Clock;
  readonly #elapsed: Clock;
  /** When the document in use came, of the elapsed clock. */
  #came = 0;
  readonly #systemRoots: Settable<readonly Uint8Array[]>;
  /** `system` roots, for the certificate service's certificate. */
  readonly systemRoots: Live<readonly Uint8Array[]>;

  /** @param firstRoots from the file that the certificate service published */
  constructor(crypto: Crypto, firstRoots: Roots, clock: Clock = systemClock) {
    this.#crypto = crypto;
    this.#firstRoots = firstRoots;
    this.#clock = clock;
    this.#elapsed = elapsedClock(clock);
    this.#systemRoots = liveValue(firstRoots.system);
    this.systemRoots = this.#systemRoots;
  }

  get current(): HeldDocument | undefined {
    return this.#held.current();
  }

  get roots(): Roots {
    return this.#held.current()?.document.roots ?? this.#firstRoots;
  }

  /** Version of the document in use; 0 when there is none yet. */
  get version(): number {
    return this.#held.current()?.document.version ?? 0;
  }

  /** Milliseconds since the document in use was issued, or since it came when that is more: a clock that is set back makes none younger. Undefined when there is none. */
  get ageMs(): number | undefined {
    const held = this.#held.current();
    if (held === undefined) return undefined;
    return Math.max(this.#clock.now() - held.document.issuedAt * 1000, this.#elapsed.now() - this.#came);
  }

  onChange(listener: () => void): () => void {
    return this.#held.onChange(listener);
  }

  /** Takes a document over when a system root that is held signed it and it is newer; else says why not. */
  offer(signed: SignedTrustDocument): Result<TrustDocument, EvidenceCode> {
    const accepted = acceptTrustDocument(this.#crypto, signed, { roots: this.roots, version: this.version });
    if (!accepted.ok) return accepted;
    this.#came = this.#elapsed.now();
    this.#held.set({ document: accepted.value, signed });
    const { system } = accepted.value.roots;
    // A new document comes each minute; connections start over only when roots really change.
    if (!equalLists(system, this.#systemRoots.current())) this.#systemRoots.set(system);
    return accepted;
  }

  /** Whether a text of roots is a set that the trust document has named, now or before. */
  acceptsRoots(text: string): boolean {
    return this.#held.current()?.document.rootSets.includes(rootsSha256(this.#crypto, text)) ?? false;
  }

  /** Resolves with the document once it is newer than `version`; undefined when the signal comes first. */
  newerThan(version: number, signal: AbortSignal): Promise<HeldDocument | undefined> {
    return new Promise((resolve) => {
      const done = (value: HeldDocument | undefined): void => {
        unsubscribe();
        signal.removeEventListener('abort', onAbort);
        resolve(value);
      };
      const onAbort = (): void => done(undefined);
      const look = (): void => {
        const held = this.current;
        if (held !== undefined && held.document.version > version) done(held);
      };
      const unsubscribe = this.onChange(look);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      else look();
    });
  }
}
