import type { Logger } from '../../../platform/log/logger.ts';
import { aborted } from '../../../platform/run/aborted.ts';
import { createBackoff } from '../../../platform/run/backoff.ts';
import { explain } from '../../../platform/run/explain.ts';
import { sleep } from '../../../platform/run/sleep.ts';
import type { TrustHolder } from '../../../platform/trust/trust-holder.ts';
import type { TrustClient } from '../../trust/trust-client.ts';
import type { Keyring } from './keyring.ts';

/** A new document comes each minute; a key that was made since is handed out sooner. */
const LOOK_MS = 2000;

/**
 * Hands the public token keys of all fronts to the certificate service whenever the newest trust document lacks one, or names one that is long over: at
 * first start, when keys take turns, and when the service comes back without them. Fronts that do so at once send the same.
 */
export async function publishTokenKeys(
  client: Pick<TrustClient, 'setTokenKeys'>,
  trust: TrustHolder,
  keyring: Keyring,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const backoff = createBackoff(500, 30_000);
  let wake = Promise.withResolvers<void>();
  const stop = trust.onChange(() => wake.resolve());
  const stopped = aborted(signal);
  while (!signal.aborted) {
    let given = false;
    try {
      const named = trust.current?.document.tokenKeys.keys.map((key) => key.kid);
      if (named !== undefined) {
        keyring.published(named);
        const wanted = await keyring.wanted();
        const lacks = wanted.some(({ id }) => !named.includes(id));
        const others = named.filter((name) => !wanted.some(({ id }) => id === name));
        const tolerated = others.length === 0 ? new Set() : await keyring.tolerated();
        if (lacks || others.some((id) => !tolerated.has(id))) {
          const jwks = JSON.stringify({ keys: wanted.map(({ jwk }) => jwk) });
          const { version } = await client.setTokenKeys({ jwks }, { signal });
          log.info({ keys: wanted.length, version: Number(version) }, 'token keys handed out');
          // The document with the keys is on its way; without it they are handed out again.
          given = true;
        }
      }
      if (!given) backoff.reset();
      await Promise.race([wake.promise, stopped, given ? backoff.wait(signal) : sleep(LOOK_MS, signal)]);
      wake = Promise.withResolvers();
    } catch (error) {
      if (signal.aborted) break;
      log.warn({ error: explain(error) }, 'token keys could not be handed out yet');
      await backoff.wait(signal);
    }
  }
  stop();
}
