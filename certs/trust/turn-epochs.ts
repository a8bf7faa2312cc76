import type { Health } from '../../platform/health/health.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { explain } from '../../platform/run/explain.ts';
import { sleep } from '../../platform/run/sleep.ts';
import type { TrustPublisher } from './trust-publisher.ts';

export interface TurnEpochsOptions {
  readonly publisher: TrustPublisher;
  readonly health: Health;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const RETRY_MS = 1000;

/** Publishes a new epoch each minute until the signal. */
export async function turnEpochs({ publisher, health, log, signal }: TurnEpochsOptions): Promise<void> {
  const check = health.check('trust-document');
  while (!signal.aborted) {
    let rest = RETRY_MS;
    try {
      rest = Math.max(await publisher.turn(), 50);
      check.ok();
    } catch (error) {
      // Nothing that is not stored is published.
      check.fail(explain(error));
      log.error({ reason: explain(error) }, 'the trust document could not be published');
    }
    await sleep(rest, signal);
  }
}
