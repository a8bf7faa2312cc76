import { parseTrustDocument, type SignedTrustDocument } from '../../../formats/evidence/trust-document.ts';
import { componentDnsName } from '../../../names/components.ts';
import { MAX_RPC_RESPONSE_BYTES } from '../../../names/rpc-limits.ts';
import type { Address } from '../../../platform/config/option.ts';
import { createRpcClient, type RpcClient } from '../../../platform/rpc/rpc-client.ts';
import { liveValue } from '../../../platform/run/live.ts';
import { mustBe } from '../../../platform/tls/component-peer.ts';
import { LicensingServiceService } from '../../../proto/gen/enclave_licensing/licensing/v1/licensing_service.ts';
import { Failure } from '../../failure.ts';
import { type PinnedRoots, pinnedRoots } from '../trust/pinned-roots.ts';

/** The server's calls (proto/enclave_licensing/licensing/v1); each throws RpcRefusal or RpcError. */
export type FrontClient = RpcClient<typeof LicensingServiceService>;

export const FRONT_NAME = componentDnsName('front');

/**
 * A client of front: its certificate is a component's of these `system` roots, for front's name, whatever the address.
 * @param systemRoots DER; never empty
 */
export function connectFront(
  address: Address,
  systemRoots: readonly Uint8Array[],
  serverName = FRONT_NAME,
): FrontClient {
  return createRpcClient(LicensingServiceService, {
    address,
    serverName,
    roots: liveValue(systemRoots),
    maxResponseBytes: MAX_RPC_RESPONSE_BYTES.licensing,
    judgeServer: mustBe('front'),
  });
}

/**
 * The trust document that a server shows to anybody. The server is not authenticated: the document counts only when a root that is held signed it, or when a fingerprint
 * from the operator is of exactly its roots.
 * @throws RpcError when the server cannot be reached
 */
export async function fetchShownDocument(
  address: Address,
  signal: AbortSignal,
  timeoutMs = 30_000,
): Promise<SignedTrustDocument | undefined> {
  const client = createRpcClient(LicensingServiceService, {
    address,
    serverName: FRONT_NAME,
    roots: 'unauthenticated',
    maxResponseBytes: MAX_RPC_RESPONSE_BYTES.licensing,
  });
  try {
    return (await client.getTrustDocument({}, { signal, timeoutMs })).trustDocument;
  } finally {
    client.close();
  }
}

/**
 * Asks a server for its roots when all that the operator gave is their fingerprint.
 * @throws Failure when they are others; RpcError when the server cannot be reached
 */
export async function fetchRoots(
  address: Address,
  fingerprint: string,
  signal: AbortSignal,
): Promise<PinnedRoots> {
  const shown = await fetchShownDocument(address, signal);
  const document = parseTrustDocument(shown?.document ?? new Uint8Array());
  if (!document.ok) throw new Failure('not-allowed', document.code, document.message, document.remedy);
  const roots = pinnedRoots(document.value.roots);
  if (roots.sha256 === fingerprint) return roots;
  throw new Failure(
    'not-allowed',
    'fingerprint-differs',
    `the server's roots have the fingerprint ${roots.sha256}, not ${fingerprint}`,
    'compare the fingerprint and the address with the operator; do not go on',
  );
}
