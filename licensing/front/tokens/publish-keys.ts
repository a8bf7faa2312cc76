import type { JSONWebKeySet } from 'jose';
import type { Logger } from '../../../platform/log/logger.ts';
import { aborted } from '../../../platform/run/aborted.ts';
import { createBackoff } from '../../../platform/run/backoff.ts';
import { explain } from '../../../platform/run/explain.ts';
import type { TrustHolder } from '../../../platform/trust/trust-holder.ts';
import type { TrustClient } from '../../trust/trust-client.ts';

/**
 * Hands the public token keys to the certificate service whenever the newest trust document holds others: at first start, and when the service comes
 * back without them.
 */
export async function publishTokenKeys(
  client: Pick<TrustClient, 'setTokenKeys'>,
  trust: TrustHolder,
  keys: JSONWebKeySet,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const wanted = keys.keys.map((key) => key.kid ?? '').sort();
  const jwks = JSON.stringify(keys);
  const backoff = createBackoff(500, 30_000);
  let wake = Promise.withResolvers<void>();
  const stop = trust.onChange(() => wake.resolve());
  const stopped = aborted(signal);
  while (!signal.aborted) {
    const published = trust.current?.document.tokenKeys.keys.map((key) => key.kid).sort();
    if (published === undefined || published.join() === wanted.join()) {
      await Promise.race([wake.promise, stopped]);
      wake = Promise.withResolvers();
      continue;
    }
    try {
      const { version } = await client.setTokenKeys({ jwks }, { signal });
      log.info({ keys: wanted.length, version: Number(version) }, 'token keys handed out');
      backoff.reset();
      // The document with the keys is on its way; without it they are handed out again.
      await Promise.race([wake.promise, stopped, backoff.wait(signal)]);
      wake = Promise.withResolvers();
    } catch (error) {
      if (signal.aborted) break;
      log.warn({ error: explain(error) }, 'token keys could not be handed out yet');
      await backoff.wait(signal);
    }
  }
  stop();
}
