import type { Logger } from '../../platform/log/logger.ts';
import type { RpcClient } from '../../platform/rpc/rpc-client.ts';
import { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import { createBackoff } from '../../platform/run/backoff.ts';
import { explain } from '../../platform/run/explain.ts';
import type { RevokedCertificate } from '../../proto/gen/enclave_licensing/trust/v1/trust.ts';
import type { TrustServiceService } from '../../proto/gen/enclave_licensing/trust/v1/trust_service.ts';
import type { AgentMetrics } from '../metrics.ts';

export interface RevokerOptions {
  readonly client: Pick<RpcClient<typeof TrustServiceService>, 'revoke'>;
  readonly log: Logger;
  readonly metrics: Pick<AgentMetrics, 'revocations'>;
  readonly signal: AbortSignal;
}

/** Pods whose revocation nobody could take for so long are remembered; more than this many are a defect elsewhere. */
const MAX_PENDING = 10_000;

/** Asks the certificate service to revoke the certificates of pods, again and again until it has. */
export class Revoker {
  readonly #options: RevokerOptions;
  readonly #pending = new Map<string, RevokedCertificate>();
  #working = false;

  constructor(options: RevokerOptions) {
    this.#options = options;
  }

  revoke(subject: RevokedCertificate): void {
    if (this.#pending.size >= MAX_PENDING) return;
    // Who knows the certificate is believed more than who asks again without.
    const { certificate } =
      subject.certificate.length > 0 ? subject : (this.#pending.get(subject.podUid) ?? subject);
    this.#pending.set(subject.podUid, { ...subject, certificate });
    if (!this.#working) void this.#work();
  }

  async #work(): Promise<void> {
    const { client, log, metrics, signal } = this.#options;
    const backoff = createBackoff(200, 15_000);
    this.#working = true;
    for (const [podUid, subject] of this.#pending) {
      let result: 'ok' | ReturnType<typeof resultOf> = 'ok';
      try {
        await client.revoke({ subject: { $case: 'certificate', value: subject } }, { signal });
        backoff.reset();
        log.info({ podUid }, 'certificates revoked');
      } catch (error) {
        if (signal.aborted) break;
        result = resultOf(error, subject);
        if (result === 'unknown') log.info({ podUid }, `nothing to revoke: ${explain(error)}`);
        else log.warn({ error, podUid }, `not revoked: ${explain(error)}`);
      }
      metrics.revocations.inc({ result });
      const newest = this.#pending.get(podUid) ?? subject;
      this.#pending.delete(podUid);
      // At the end of the line, so that one does not hold up the others.
      if (result === 'failed' || newest !== subject) this.#pending.set(podUid, newest);
      if (result === 'failed') await backoff.wait(signal);
    }
    this.#working = false;
  }
}

/** `failed`: to be tried again; `refused`: never; `unknown`: the pod is gone, and nobody knows of a certificate that it had. */
function resultOf(error: unknown, { certificate }: RevokedCertificate): 'failed' | 'refused' | 'unknown' {
  if (!(error instanceof RpcRefusal) || ['UNAVAILABLE', 'RESOURCE_EXHAUSTED'].includes(error.status))
    return 'failed';
  return error.code === 'revocation-foreign' && certificate.length === 0 ? 'unknown' : 'refused';
}
