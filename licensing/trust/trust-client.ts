import { MAX_RPC_RESPONSE_BYTES } from '../../names/rpc-limits.ts';
import type { Address } from '../../platform/config/option.ts';
import type { Identity } from '../../platform/identity/identity.ts';
import { createRpcClient, type RpcClient } from '../../platform/rpc/rpc-client.ts';
import type { Clock } from '../../platform/run/clock.ts';
import type { TrustHolder } from '../../platform/trust/trust-holder.ts';
import { TrustServiceService } from '../../proto/gen/enclave_licensing/trust/v1/trust_service.ts';
import { judgeComponent } from './component-role.ts';

export type TrustClient = RpcClient<typeof TrustServiceService>;

export function createTrustClient(
  address: Address,
  serverName: string,
  trust: TrustHolder,
  identity: Identity,
  clock: Clock,
  localAddress: string,
): TrustClient {
  return createRpcClient(TrustServiceService, {
    address,
    serverName,
    roots: trust.systemRoots,
    credential: identity,
    localAddress,
    maxResponseBytes: MAX_RPC_RESPONSE_BYTES.trust,
    judgeServer: judgeComponent(() => trust.roots, clock, serverName, 'server'),
  });
}
