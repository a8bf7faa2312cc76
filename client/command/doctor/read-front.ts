import { type Roots, rootsSha256, rootsToJson } from '../../../formats/evidence/roots.ts';
import {
  acceptTrustDocument,
  parseTrustDocument,
  type SignedTrustDocument,
} from '../../../formats/evidence/trust-document.ts';
import type { Address } from '../../../platform/config/option.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import { connectFront, fetchShownDocument } from '../../library/front/front-client.ts';
import { attempt } from './read.ts';
import type { Front } from './snapshot.ts';

const CALL_MS = 4_000;

export interface FrontAsked {
  readonly address: Address;
  /** As it was written. */
  readonly text: string;
  /** DNS name in its certificate. */
  readonly serverName: string;
}

/** Asks front for the trust document, first as a user does, under the roots of this cluster; then, when it is not known by them, as anybody may. */
export async function readFront(
  { address, text, serverName }: FrontAsked,
  roots: Roots | undefined,
  signal: AbortSignal,
): Promise<Front> {
  const answer = await attempt(async () => {
    const known = roots === undefined ? undefined : await askKnown(address, roots, serverName, signal);
    const shown = known ?? (await fetchShownDocument(address, signal, CALL_MS));
    const document = parseTrustDocument(shown?.document ?? new Uint8Array());
    if (!document.ok) throw new Error(document.message);
    const { issuedAt, pcrSelection, roots: published } = document.value;
    const accepted = shown && roots && acceptTrustDocument(nodeCrypto, shown, { roots, version: 0 });
    return {
      authenticated: known !== undefined,
      vouched: accepted?.ok === true,
      issuedAt,
      rootsSha256: rootsSha256(nodeCrypto, rootsToJson(published)),
      pcrs: `${pcrSelection.hash}:${pcrSelection.pcrs.join(',')}`,
    };
  }, 2 * CALL_MS);
  return { address: text, answer };
}

/** Undefined when the server is not front by these roots, or is away. */
async function askKnown(
  address: Address,
  roots: Roots,
  serverName: string,
  signal: AbortSignal,
): Promise<SignedTrustDocument | undefined> {
  const client = connectFront(address, roots.system, serverName);
  try {
    return (await client.getTrustDocument({}, { signal, timeoutMs: CALL_MS })).trustDocument;
  } catch {
    return undefined;
  } finally {
    client.close();
  }
}
