import type { Health } from '../../platform/health/health.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { createBackoff } from '../../platform/run/backoff.ts';
import { explain } from '../../platform/run/explain.ts';
import { sleep } from '../../platform/run/sleep.ts';
import { showClusterIssuers } from './cluster-issuers.ts';
import { publishRoots } from './roots-config-map.ts';
import { caBundle, updateCaBundles } from './webhook-ca-bundles.ts';

export interface KeepClusterCurrentOptions {
  readonly kube: Kube;
  readonly log: Logger;
  readonly health: Health;
  readonly signal: AbortSignal;
  readonly releaseNamespace: string;
  readonly rootsJson: string;
  readonly systemRoots: readonly Uint8Array[];
  readonly webhookConfigurations: readonly string[];
  /** Milliseconds. */
  now(): number;
}

/** A configuration that was applied anew has no caBundle, and with failurePolicy Fail no enclave starts until it has. */
const PERIOD_MS = 1_000;

/** Keeps what the certificate service writes into the cluster as it should be: the first roots, webhooks' caBundle, and once the issuers. */
export async function keepClusterCurrent(options: KeepClusterCurrentOptions): Promise<void> {
  const { kube, log, health, signal, releaseNamespace, rootsJson, webhookConfigurations } = options;
  const check = health.check('roots');
  const bundle = caBundle(options.systemRoots);
  const backoff = createBackoff(200, 10_000);
  let shown = false;
  while (!signal.aborted) {
    try {
      if (await publishRoots(kube, releaseNamespace, rootsJson)) log.info({}, 'roots published');
      check.ok();
      const changed = await updateCaBundles(kube, webhookConfigurations, bundle);
      if (changed.length > 0) log.info({ changed }, 'caBundle written');
      if (!shown) await showClusterIssuers(kube, options.now());
      shown = true;
      backoff.reset();
      await sleep(PERIOD_MS, signal);
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ reason: explain(error) }, 'roots, caBundle or issuers could not be written');
      await backoff.wait(signal);
    }
  }
}
