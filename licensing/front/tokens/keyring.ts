import type { KeyObject } from 'node:crypto';
import type { Clock } from '../../../platform/run/clock.ts';
import { sleep } from '../../../platform/run/sleep.ts';
import type { Store } from '../../store/store.ts';
import { makeTokenKey, readTokenKey, type TokenKey } from './token-key.ts';

export interface KeyringOptions {
  /** How long a key signs. */
  readonly keyLifetimeMs: number;
  /** How long the tokens last that it signs, at most. */
  readonly tokenLifetimeMs: number;
  readonly clock: Clock;
}

export interface SigningKey {
  readonly id: string;
  readonly privateKey: KeyObject;
}

interface OwnKey extends SigningKey {
  readonly retiresAt: number;
  /** When it was first seen in the trust document. */
  publishedAt: number | undefined;
}

/** The next key is made when this part of a key's life is left. */
const LEAD_PART = 1 / 24;
/** So long after it was published a new key takes over: sidecars have heard of it by then. */
const SETTLED_MS = 60_000;
/** For clocks that differ. */
const SLACK_MS = 300_000;
/** Made-up key ids do not make the store busy. */
const READ_INTERVAL_MS = 1000;
/** As many as a trust document takes: the newest. More are there only when fronts are restarted again and again. */
const MAX_PUBLISHED = 16;

/**
 * Keys that sign tokens. Each front makes its own, keeps the private half in memory, and writes the public one to the store, so that
 * every front verifies what any of them signed, also after the signer's end. Keys take turns by themselves.
 */
export class Keyring {
  readonly #store: Store;
  readonly #options: KeyringOptions;
  /** Oldest first; the last one but one signs until the last is settled. */
  #own: OwnKey[] = [];
  #known: ReadonlyMap<string, TokenKey> = new Map();
  #reading: Promise<void> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;

  private constructor(store: Store, options: KeyringOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** With a first key, which every front of the store verifies from now on. @throws StoreAway */
  static async open(store: Store, options: KeyringOptions): Promise<Keyring> {
    const keyring = new Keyring(store, options);
    await keyring.tend();
    return keyring;
  }

  /** Makes the next key in time, forgets what is over, reads what others made. To be called now and then. @throws StoreAway */
  async tend(): Promise<void> {
    const now = this.#options.clock.now();
    await this.#read();
    const last = this.#own.at(-1);
    const crowdedOut = last !== undefined && !this.#publishable().some(({ id }) => id === last.id);
    const over = last === undefined || now >= last.retiresAt - this.#options.keyLifetimeMs * LEAD_PART;
    if (over || crowdedOut) {
      await this.#make(now);
      await this.#read();
    }
    while (this.#own.length > 1 && this.#isSettled(this.#own[1], now)) this.#own.shift();
  }

  /** The key for tokens that fronts check. */
  get signing(): SigningKey {
    const now = this.#options.clock.now();
    const key = this.#own.find(({ retiresAt }) => now < retiresAt) ?? this.#own.at(-1);
    if (key === undefined) throw new Error('the keyring was not opened');
    return key;
  }

  /** The key for tokens that sidecars check: one that the trust document names. Undefined: not yet. */
  get signingForEnclaves(): SigningKey | undefined {
    const now = this.#options.clock.now();
    return this.#own.find((key) => key.publishedAt !== undefined && now < key.retiresAt);
  }

  /** Any front's key. One that is not known is looked for in the store, at most once a second. @throws StoreAway */
  async find(id: string): Promise<TokenKey | undefined> {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    await this.#readAgain();
    return this.#known.get(id);
  }

  /** What the trust document should name, freshly read: the newest, oldest first. @throws StoreAway */
  async wanted(): Promise<readonly TokenKey[]> {
    await this.#read();
    return this.#publishable();
  }

  /** Ids of keys that a document may still name: they have not been over for long. @throws StoreAway */
  async tolerated(): Promise<ReadonlySet<string>> {
    const keys = await this.#store.tokenKeys(this.#options.clock.now() - 2 * SLACK_MS);
    return new Set(keys.map(({ keyId }) => keyId));
  }

  /** The trust document names these, and no others. */
  published(ids: readonly string[]): void {
    const now = this.#options.clock.now();
    for (const key of this.#own)
      key.publishedAt = ids.includes(key.id) ? (key.publishedAt ?? now) : undefined;
  }

  #publishable(): readonly TokenKey[] {
    return [...this.#known.values()].slice(-MAX_PUBLISHED);
  }

  #isSettled(key: OwnKey | undefined, now: number): boolean {
    return key?.publishedAt !== undefined && now >= key.publishedAt + SETTLED_MS;
  }

  async #make(now: number): Promise<void> {
    const { keyLifetimeMs, tokenLifetimeMs } = this.#options;
    const { key, privateKey } = makeTokenKey();
    const retiresAt = now + keyLifetimeMs;
    await this.#store.addTokenKey({
      keyId: key.id,
      publicKey: key.publicKey.export({ format: 'der', type: 'spki' }),
      createdAt: now,
      expiresAt: retiresAt + tokenLifetimeMs + SLACK_MS,
    });
    this.#own.push({ id: key.id, privateKey, retiresAt, publishedAt: undefined });
  }

  async #read(): Promise<void> {
    const rows = await this.#store.tokenKeys(this.#options.clock.now());
    this.#known = new Map(
      rows.map(({ keyId, publicKey }) => [keyId, this.#known.get(keyId) ?? readTokenKey(publicKey)]),
    );
  }

  /** Whoever asks meanwhile waits for the same read. */
  #readAgain(): Promise<void> {
    this.#reading ??= (async () => {
      try {
        await sleep(Math.max(0, this.#readAt + READ_INTERVAL_MS - performance.now()));
        this.#readAt = performance.now();
        await this.#read();
      } finally {
        this.#reading = undefined;
      }
    })();
    return this.#reading;
  }
}
