import type { Crypto } from '../../formats/crypto/crypto.ts';
import { type Roots, rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import {
  type PcrSelection,
  type SignedTrustDocument,
  signTrustDocument,
  TRUST_DOCUMENT_VERSION,
  type TrustDocument,
} from '../../formats/evidence/trust-document.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { type Live, liveValue } from '../../platform/run/live.ts';
import type { IssuerKey } from '../authority/authority.ts';
import { EPOCH_SECONDS, epochAt } from './epoch.ts';
import { EMPTY_STATE, revokedUsers, type TrustState, withoutEnded, withRootSet } from './trust-state.ts';
import type { TrustStore } from './trust-store.ts';

export interface Published {
  readonly document: TrustDocument;
  readonly signed: SignedTrustDocument;
}

export interface TrustPublisherOptions {
  readonly crypto: Crypto;
  readonly store: TrustStore;
  /** What the store holds; undefined: nothing yet. */
  readonly stored: TrustState | undefined;
  readonly system: IssuerKey;
  readonly roots: Roots;
  readonly pcrSelection: PcrSelection;
  /** Unix seconds. */
  now(): number;
  random(bytes: number): Uint8Array;
}

/** Changes the state by a function of it, which may be called more than once; its undefined leaves the state as it is. */
export type Edit = (state: TrustState) => Partial<TrustState> | undefined;

/**
 * The one writer of the trust document: every change is stored, under a higher version, before anybody sees it. Two processes that both take themselves for the
 * one writer do not harm: who writes upon a state that is no longer the newest is refused, and goes on from the newest.
 */
export interface TrustPublisher {
  readonly published: Live<Published>;
  /** Resolves when the change is published; whether there was one. Changes that come while one is being stored go together. */
  change(edit: Edit): Promise<boolean>;
  /** Publishes a new epoch when one is due. Returns milliseconds until the next. */
  turn(): Promise<number>;
}

interface Waiting {
  readonly edit: Edit;
  readonly done: PromiseWithResolvers<boolean>;
}

/** How often a change is made again upon what somebody else wrote. */
const ATTEMPTS = 3;

/** Publishes the first document of this term: who holds an older version must see that something new answers. */
export async function createTrustPublisher(options: TrustPublisherOptions): Promise<TrustPublisher> {
  const { crypto, store, system, roots, pcrSelection, now, random } = options;
  const rootSet = rootsSha256(crypto, rootsToJson(roots));
  let state = options.stored ?? EMPTY_STATE;
  let known = true;
  if (state.rootSets.length > 0 && !state.rootSets.includes(rootSet))
    throw new Error(
      'the Secrets of the issuers and of the trust state are not of one time: restore them together, from one backup',
    );

  const publish = async (edited: TrustState): Promise<Published> => {
    const time = now();
    const epoch = epochAt(edited.epoch, time, random(32));
    const next = {
      ...edited,
      epoch,
      version: state.version + 1,
      rootSets: withRootSet(edited.rootSets, rootSet),
      revoked: withoutEnded(edited.revoked, time),
    };
    const document: TrustDocument = {
      v: TRUST_DOCUMENT_VERSION,
      version: next.version,
      issuedAt: time,
      roots,
      rootSets: next.rootSets,
      revoked: { ...next.revoked, users: revokedUsers(next) },
      pcrSelection,
      tokenKeys: { keys: next.tokenKeys },
      epoch,
    };
    // Signed before it is stored: what cannot be encoded changes nothing.
    const signed = signTrustDocument(crypto, document, system.certificate.spki, system.sign);
    known = false;
    await store.save(next);
    known = true;
    state = next;
    return { document, signed };
  };

  /** After a failure: what stands there, unless it is older than what was published, or gone; then that comes back. */
  const refresh = async (): Promise<void> => {
    if (known) return;
    const stored = await store.load();
    if (stored !== undefined && stored.version > state.version) state = stored;
    known = true;
  };

  const published = liveValue(await publish(state));
  const waiting: Waiting[] = [];
  let working = false;

  const apply = async (edits: readonly Edit[]): Promise<boolean[]> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await refresh();
        let edited = state;
        const changes = edits.map((edit) => {
          const changed = edit(edited);
          edited = { ...edited, ...changed };
          return changed !== undefined;
        });
        if (changes.includes(true)) published.set(await publish(edited));
        return changes;
      } catch (error) {
        if (attempt >= ATTEMPTS || !isKubeError(error, 'Conflict', 'NotFound', 'AlreadyExists')) throw error;
      }
    }
  };
  const work = async (): Promise<void> => {
    working = true;
    while (waiting.length > 0) {
      const batch = waiting.splice(0);
      try {
        const changes = await apply(batch.map(({ edit }) => edit));
        batch.forEach(({ done }, i) => {
          done.resolve(changes[i] ?? false);
        });
      } catch (error) {
        for (const { done } of batch) done.reject(error);
      }
    }
    working = false;
  };
  const change = (edit: Edit): Promise<boolean> => {
    const done = Promise.withResolvers<boolean>();
    waiting.push({ edit, done });
    if (!working) void work();
    return done.promise;
  };
  const due = (at: number): number => (at + EPOCH_SECONDS - now()) * 1000;
  return {
    published,
    change,
    turn: async () => {
      // A clock that was set back makes an epoch that lies in the future: it would never end.
      await change(({ epoch }) =>
        epoch === undefined || due(epoch.at) <= 0 || epoch.at > now() ? {} : undefined,
      );
      return Math.max(due(published.current().document.epoch.at), 0);
    },
  };
}
