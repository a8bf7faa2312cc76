import { parseTrustDocument } from '../../formats/evidence/trust-document.ts';
import { componentDnsName } from '../../names/components.ts';
import { MAX_RPC_RESPONSE_BYTES } from '../../names/rpc-limits.ts';
import type { Address } from '../../platform/config/option.ts';
import { createRpcClient, type RpcClient } from '../../platform/rpc/rpc-client.ts';
import { liveValue } from '../../platform/run/live.ts';
import { mustBe } from '../../platform/tls/component-peer.ts';
import { LicensingServiceService } from '../../proto/gen/enclave_licensing/licensing/v1/licensing_service.ts';
import { Failure } from '../failure.ts';
import { type PinnedRoots, pinnedRoots } from './pinned-roots.ts';

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
 * Asks a server for its roots when all that the operator gave is their fingerprint. The server is not authenticated: what it says counts only because the
 * fingerprint is of exactly these roots.
 * @throws Failure when they are others; RpcError when the server cannot be reached
 */
export async function fetchRoots(
  address: Address,
  fingerprint: string,
  signal: AbortSignal,
): Promise<PinnedRoots> {
  const client = createRpcClient(LicensingServiceService, {
    address,
    serverName: FRONT_NAME,
    roots: 'unauthenticated',
    maxResponseBytes: MAX_RPC_RESPONSE_BYTES.licensing,
  });
  try {
    const { trustDocument } = await client.getTrustDocument({}, { signal });
    const document = parseTrustDocument(trustDocument?.document ?? new Uint8Array());
    if (!document.ok) throw new Failure('not-allowed', document.code, document.message, document.remedy);
    const roots = pinnedRoots(document.value.roots);
    if (roots.sha256 !== fingerprint)
      throw new Failure(
        'not-allowed',
        'fingerprint-differs',
        `the server's roots have the fingerprint ${roots.sha256}, not ${fingerprint}`,
        'compare the fingerprint and the address with the operator; do not go on',
      );
    return roots;
  } finally {
    client.close();
  }
}
