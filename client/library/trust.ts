import { type Roots, rootsToJson } from '../../formats/evidence/roots.ts';
import {
  acceptTrustDocument,
  type PcrSelection,
  type TrustDocument,
} from '../../formats/evidence/trust-document.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { RpcError } from '../../platform/rpc/rpc-error.ts';
import type { TrustStore } from '../state/trust-store.ts';
import type { FrontClient } from './front-client.ts';
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
}

/** What is held already: no network. */
export function heldTrust(pinned: PinnedRoots, store: TrustStore): Trust {
  const document = store.document(nodeCrypto, pinned.roots);
  return document === undefined
    ? { roots: pinned.roots, rootSets: [pinned.sha256], rootsTexts: [pinned.text], version: 0 }
    : fromDocument(document, pinned);
}

/**
 * The newest trust: asks the server, and takes its document only when a pinned `system` root signed it and it is newer. A server that has none, or is away, leaves
 * what is held.
 */
export async function refreshTrust(
  client: FrontClient,
  pinned: PinnedRoots,
  store: TrustStore,
  signal: AbortSignal,
): Promise<Trust> {
  const held = heldTrust(pinned, store);
  try {
    const { trustDocument } = await client.getTrustDocument({}, { signal, timeoutMs: 5_000 });
    if (trustDocument === undefined) return held;
    // Judged by the pinned roots, never by those of a document held: what is kept can be checked from the pinned file alone. When the
    // operator drops a pinned system root for good, the user pins the new file.
    const accepted = acceptTrustDocument(nodeCrypto, trustDocument, {
      roots: pinned.roots,
      version: held.version,
    });
    if (!accepted.ok) return held;
    store.saveDocument(trustDocument);
    return fromDocument(accepted.value, pinned);
  } catch (error) {
    if (error instanceof RpcError && error.status !== 'CANCELLED') return held;
    throw error;
  }
}

function fromDocument(document: TrustDocument, pinned: PinnedRoots): Trust {
  return {
    roots: document.roots,
    rootSets: [...new Set([pinned.sha256, ...document.rootSets])],
    rootsTexts: [...new Set([pinned.text, rootsToJson(document.roots)])],
    pcrSelection: document.pcrSelection,
    version: document.version,
  };
}
