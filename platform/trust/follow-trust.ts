import type { Result } from '../../formats/bytes/result.ts';
import type { EvidenceCode } from '../../formats/evidence/evidence-code.ts';
import type { SignedTrustDocument, TrustDocument } from '../../formats/evidence/trust-document.ts';
import type { Logger } from '../log/logger.ts';
import { createBackoff } from '../run/backoff.ts';
import { explain } from '../run/explain.ts';
import type { TrustHolder } from './trust-holder.ts';

export interface FollowTrustOptions {
  /** A client of trust.v1. */
  readonly client: {
    watch(
      request: { version: bigint },
      options: { signal: AbortSignal },
    ): AsyncIterable<{ trustDocument?: SignedTrustDocument | undefined }>;
  };
  readonly holder: TrustHolder;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** What became of each document that came. */
  onOffer?(outcome: Result<TrustDocument, EvidenceCode>): void;
}

/** Watches the trust document for as long as the process lives; comes back when the certificate service does. Never rejects. */
export async function followTrust(options: FollowTrustOptions): Promise<void> {
  const { client, holder, log, signal, onOffer } = options;
  const backoff = createBackoff(100, 10_000);
  while (!signal.aborted) {
    try {
      for await (const { trustDocument } of client.watch({ version: BigInt(holder.version) }, { signal })) {
        if (trustDocument === undefined) continue;
        const outcome = holder.offer(trustDocument);
        onOffer?.(outcome);
        if (outcome.ok) {
          backoff.reset();
          log.debug({ version: outcome.value.version }, 'trust document accepted');
        } else log.warn({ code: outcome.code }, `trust document refused: ${outcome.message}`);
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ error }, `no trust document: ${explain(error)}`);
    }
    await backoff.wait(signal);
  }
}
