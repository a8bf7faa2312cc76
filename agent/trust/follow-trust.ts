import type { Logger } from '../../platform/log/logger.ts';
import type { RpcClient } from '../../platform/rpc/rpc-client.ts';
import { createBackoff } from '../../platform/run/backoff.ts';
import { explain } from '../../platform/run/explain.ts';
import type { TrustServiceService } from '../../proto/gen/enclave_licensing/trust/v1/trust_service.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { TrustHolder } from './trust-holder.ts';

export interface FollowTrustOptions {
  readonly client: Pick<RpcClient<typeof TrustServiceService>, 'watch'>;
  readonly holder: TrustHolder;
  readonly log: Logger;
  readonly metrics: Pick<AgentMetrics, 'trustVersion' | 'trustRefused'>;
  readonly signal: AbortSignal;
}

/** Watches the trust document for as long as the process lives. Never rejects. */
export async function followTrust(options: FollowTrustOptions): Promise<void> {
  const { client, holder, log, metrics, signal } = options;
  const backoff = createBackoff(100, 10_000);
  while (!signal.aborted) {
    try {
      for await (const { trustDocument } of client.watch({ version: BigInt(holder.version) }, { signal })) {
        if (trustDocument === undefined) continue;
        const accepted = holder.offer(trustDocument);
        if (accepted.ok) {
          backoff.reset();
          metrics.trustVersion.set(accepted.value.version);
          log.debug({ version: accepted.value.version }, 'trust document accepted');
        } else {
          metrics.trustRefused.inc({ code: accepted.code });
          log.warn({ code: accepted.code }, `trust document refused: ${accepted.message}`);
        }
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ error }, `no trust document: ${explain(error)}`);
    }
    await backoff.wait(signal);
  }
}
