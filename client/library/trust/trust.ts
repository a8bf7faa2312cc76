import { equalLists } from '../../../formats/bytes/bytes.ts';
import { type Roots, rootsSha256, rootsToJson } from '../../../formats/evidence/roots.ts';
import {
  type PcrSelection,
  parseTrustDocument,
  type SignedTrustDocument,
  type TrustDocument,
} from '../../../formats/evidence/trust-document.ts';
import { ISSUERS } from '../../../names/signers.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import { RpcError } from '../../../platform/rpc/rpc-error.ts';
import { Failure } from '../../failure.ts';
import type { TrustStore } from '../../state/trust-store.ts';
import type { FrontClient } from '../front/front-client.ts';
import type { Notice } from './notice.ts';
import type { PinnedRoots } from './pinned-roots.ts';

/** What evidence is judged by: the pinned roots, or the newer ones that a document signed under them names. */
export interface Trust {
  readonly roots: Roots;
  readonly rootSets: readonly string[];
  /** Texts of the sets whose certificates are known here. */
  readonly rootsTexts: readonly string[];
  readonly pcrSelection?: PcrSelection;
  /** 0 when no trust document is held. */
  readonly version: number;
  /** Unix seconds, of the trust document. */
  readonly issuedAt?: number;
}

/** The trust that counts now, and what is new about it. */
export interface RefreshedTrust {
  readonly trust: Trust;
  readonly notices: readonly Notice[];
}

/** A new document comes each minute: when the newest one that can be had is older, in seconds, somebody keeps newer ones back, or nobody makes them. */
const OLD_TRUST_SECONDS = 900;

/** What is held already: no network. @throws Failure when the file that holds it is damaged */
export function heldTrust(pinned: PinnedRoots, store: TrustStore): Trust {
  const document = store.document(nodeCrypto, pinned.roots);
  return document === undefined
    ? { roots: pinned.roots, rootSets: [pinned.sha256], rootsTexts: [pinned.text], version: 0 }
    : fromDocument(document, pinned);
}

/**
 * The newest trust: asks the server, and takes its document only when a `system` root that is held signed it and it is newer. A server that has none, or is away,
 * leaves what is held; how old that is is told.
 * @param now Unix seconds
 * @throws Failure `ca-not-vouched` when the server shows a CA that no held root vouched for
 */
export async function refreshTrust(
  client: FrontClient,
  pinned: PinnedRoots,
  store: TrustStore,
  signal: AbortSignal,
  now: number,
): Promise<RefreshedTrust> {
  const held = heldTrust(pinned, store);
  let shown: SignedTrustDocument | undefined;
  try {
    ({ trustDocument: shown } = await client.getTrustDocument({}, { signal, timeoutMs: 5_000 }));
  } catch (error) {
    if (!(error instanceof RpcError) || error.status === 'CANCELLED') throw error;
  }
  return shown === undefined
    ? { trust: held, notices: ageNotices(held, now) }
    : takeShown(shown, pinned, store, now);
}

/** Takes over the document that a server shows, when a `system` root that is held signed it and it is newer. @throws Failure as `refreshTrust` */
export async function takeShown(
  shown: SignedTrustDocument,
  pinned: PinnedRoots,
  store: TrustStore,
  now: number,
): Promise<RefreshedTrust> {
  const held = heldTrust(pinned, store);
  const offered = await store.offer(nodeCrypto, pinned.roots, shown);
  if (offered.ok) {
    const trust = fromDocument(offered.value, pinned);
    return { trust, notices: [...rootNotices(held.roots, trust.roots), ...ageNotices(trust, now)] };
  }
  if (offered.code === 'evidence-untrusted') throw notVouched(shown, held);
  if (offered.code !== 'evidence-rollback')
    throw new Failure('fault', offered.code, offered.message, offered.remedy);
  // The same again, or what another enclavectl has taken over meanwhile, or an older one.
  const trust = heldTrust(pinned, store);
  return { trust, notices: [...withheldNotices(shown, held), ...ageNotices(trust, now)] };
}

function fromDocument(document: TrustDocument, pinned: PinnedRoots): Trust {
  return {
    roots: document.roots,
    rootSets: [...new Set([pinned.sha256, ...document.rootSets])],
    rootsTexts: [...new Set([pinned.text, rootsToJson(document.roots)])],
    pcrSelection: document.pcrSelection,
    version: document.version,
    issuedAt: document.issuedAt,
  };
}

function notVouched(shown: SignedTrustDocument, held: Trust): Failure {
  const parsed = parseTrustDocument(shown.document);
  const fingerprint = (roots: Roots): string => rootsSha256(nodeCrypto, rootsToJson(roots));
  const theirs = parsed.ok ? fingerprint(parsed.value.roots) : 'unreadable';
  return new Failure(
    'not-allowed',
    'ca-not-vouched',
    `the server shows a CA (roots ${theirs}) that no root held here vouched for (roots ${fingerprint(held.roots)})`,
    'ask the operator, by a way that is not this server, for the SHA-256 of the new roots.json; enclavectl init --replace --fingerprint SHA256 accepts it',
  );
}

function rootNotices(held: Roots, now: Roots): Notice[] {
  const changed = ISSUERS.filter((issuer) => !equalLists(held[issuer], now[issuer]));
  if (changed.length === 0) return [];
  const message = `the CA has other roots than before for ${changed.join(', ')}; a root held here vouched for them`;
  return [{ code: 'ca-new-roots', message }];
}

function ageNotices({ issuedAt, version }: Trust, now: number): Notice[] {
  if (issuedAt === undefined || now - issuedAt <= OLD_TRUST_SECONDS) return [];
  const minutes = Math.floor((now - issuedAt) / 60);
  const message = `the newest trust document that can be had (version ${version}) is ${minutes} minutes old, and one is made each minute: the server is away, ill, or keeps newer ones back`;
  return [{ code: 'trust-document-old', message }];
}

function withheldNotices(shown: SignedTrustDocument, held: Trust): Notice[] {
  const parsed = parseTrustDocument(shown.document);
  if (!parsed.ok || parsed.value.version >= held.version) return [];
  const message = `the server shows trust document ${parsed.value.version}, and ${held.version} is held here: it keeps newer ones back, or was set back`;
  return [{ code: 'trust-document-withheld', message }];
}
