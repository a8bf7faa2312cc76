import { MAX_RPC_RESPONSE_BYTES } from '../../names/rpc-limits.ts';
import type { Address } from '../../platform/config/option.ts';
import type { Identity } from '../../platform/identity/identity.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { createRpcClient, type RpcClient } from '../../platform/rpc/rpc-client.ts';
import { createBackoff } from '../../platform/run/backoff.ts';
import type { Clock } from '../../platform/run/clock.ts';
import { explain } from '../../platform/run/explain.ts';
import { TrustServiceService } from '../../proto/gen/enclave_licensing/trust/v1/trust_service.ts';
import { judgeComponent } from './component-role.ts';
import type { TrustKeeper } from './trust-keeper.ts';

export type TrustClient = RpcClient<typeof TrustServiceService>;

export function createTrustClient(
  address: Address,
  serverName: string,
  keeper: TrustKeeper,
  identity: Identity,
  clock: Clock,
  localAddress: string,
): TrustClient {
  return createRpcClient(TrustServiceService, {
    address,
    serverName,
    roots: keeper.systemRoots,
    credential: identity,
    localAddress,
    maxResponseBytes: MAX_RPC_RESPONSE_BYTES.trust,
    judgeServer: judgeComponent(() => keeper.roots, clock, serverName, 'server'),
  });
}

/** Follows the trust document until the signal aborts; comes back when the certificate service does. `onState` for readiness. */
export async function followTrust(
  client: Pick<TrustClient, 'watch'>,
  keeper: TrustKeeper,
  log: Logger,
  signal: AbortSignal,
  onState: (reachable: boolean) => void,
): Promise<void> {
  const backoff = createBackoff(200, 10_000);
  while (!signal.aborted) {
    try {
      for await (const { trustDocument } of client.watch({ version: BigInt(keeper.version) }, { signal })) {
        if (trustDocument === undefined) continue;
        const reason = keeper.offer(trustDocument);
        if (reason === undefined) log.debug({ version: keeper.version }, 'trust document taken');
        else log.warn({ reason }, 'a trust document was not taken');
        onState(keeper.version > 0);
        backoff.reset();
      }
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ error: explain(error) }, 'the certificate service cannot be reached');
    }
    onState(false);
    await backoff.wait(signal);
  }
}
