import type { Crypto } from '../../formats/crypto/crypto.ts';
import { type Roots, rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import {
  type PcrSelection,
  type SignedTrustDocument,
  signTrustDocument,
  TRUST_DOCUMENT_VERSION,
  type TrustDocument,
} from '../../formats/evidence/trust-document.ts';
import { type Live, liveValue } from '../../platform/run/live.ts';
import type { IssuerKey } from '../authority/authority.ts';
import { EPOCH_SECONDS, epochAt } from './epoch.ts';
import { revokedUsers, type TrustState, withoutEnded, withRootSet } from './trust-state.ts';
import type { TrustStore } from './trust-store.ts';

export interface Published {
  readonly document: TrustDocument;
  readonly signed: SignedTrustDocument;
}

export interface TrustPublisherOptions {
  readonly crypto: Crypto;
  readonly store: TrustStore;
  readonly system: IssuerKey;
  readonly roots: Roots;
  readonly pcrSelection: PcrSelection;
  /** Unix seconds. */
  now(): number;
  random(bytes: number): Uint8Array;
}

/** The one writer of the trust document: every change is on disk, under a higher version, before anybody sees it. */
export interface TrustPublisher {
  readonly published: Live<Published>;
  /** Changes the state by a function of it; the function's undefined leaves it as it is. Returns whether it changed. */
  change(edit: (state: TrustState) => Partial<TrustState> | undefined): boolean;
  /** Publishes a new epoch when one is due. Returns milliseconds until the next. */
  turn(): number;
}

export function createTrustPublisher(options: TrustPublisherOptions): TrustPublisher {
  const { crypto, store, system, roots, pcrSelection, now, random } = options;
  const rootSet = rootsSha256(crypto, rootsToJson(roots));
  let state = store.load();

  const publish = (edited: TrustState): Published => {
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
    store.save(next);
    state = next;
    return { document, signed };
  };

  // Each start is a change: who holds an older version must see that something new answers.
  const published = liveValue(publish(state));
  return {
    published,
    change: (edit) => {
      const changed = edit(state);
      if (changed === undefined) return false;
      published.set(publish({ ...state, ...changed }));
      return true;
    },
    turn: () => {
      const due = (): number => ((state.epoch?.at ?? 0) + EPOCH_SECONDS - now()) * 1000;
      if (due() <= 0 || (state.epoch?.at ?? 0) > now()) published.set(publish(state));
      return Math.max(due(), 0);
    },
  };
}
