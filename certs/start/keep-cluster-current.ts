import type { Health } from '../../platform/health/health.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { createBackoff } from '../../platform/run/backoff.ts';
import { explain } from '../../platform/run/explain.ts';
import { sleep } from '../../platform/run/sleep.ts';
import { showClusterIssuers } from './cluster-issuers.ts';
import { labelLeader } from './leader-label.ts';
import { publishRoots } from './roots-config-map.ts';
import { caBundle, updateCaBundles } from './webhook-ca-bundles.ts';

export interface KeepClusterCurrentOptions {
  readonly kube: Kube;
  readonly log: Logger;
  readonly health: Health;
  readonly signal: AbortSignal;
  readonly releaseNamespace: string;
  /** Of the pod that this process is in. */
  readonly address: string;
  readonly rootsJson: string;
  /** Every `system` root in use (DER), as the trust document names them: while one replaces another, both. */
  systemRoots(): readonly Uint8Array[];
  readonly webhookConfigurations: readonly string[];
  /** Milliseconds. */
  now(): number;
  /** How often to look. */
  readonly periodMs?: number;
}

/** A configuration that was applied anew has no caBundle, and with failurePolicy Fail no enclave starts until it has. */
const PERIOD_MS = 1_000;

/**
 * Keeps what the leading certificate service writes into the cluster as it should be, until the signal: the pods' label, the first roots, webhooks' caBundle,
 * and once the issuers.
 */
export async function keepClusterCurrent(options: KeepClusterCurrentOptions): Promise<void> {
  const { kube, log, health, signal, releaseNamespace, address, rootsJson } = options;
  const check = health.check('roots');
  const backoff = createBackoff(200, 10_000);
  let shown = false;
  while (!signal.aborted) {
    try {
      const pods = await labelLeader(kube, releaseNamespace, address);
      if (pods.length > 0) log.info({ pods, address }, 'the Service leads here');
      if (await publishRoots(kube, releaseNamespace, rootsJson)) log.info({}, 'roots published');
      check.ok();
      const bundle = caBundle(options.systemRoots());
      const changed = await updateCaBundles(kube, options.webhookConfigurations, bundle);
      if (changed.length > 0) log.info({ changed }, 'caBundle written');
      if (!shown) await showClusterIssuers(kube, options.now());
      shown = true;
      backoff.reset();
      await sleep(options.periodMs ?? PERIOD_MS, signal);
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ reason: explain(error) }, 'leader’s label, roots, caBundle or issuers could not be written');
      await backoff.wait(signal);
    }
  }
}
