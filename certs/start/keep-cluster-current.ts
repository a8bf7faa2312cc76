import { randomUUID } from 'node:crypto';
import { binaryName, ROOTS_CONFIG_MAP } from '../../names/components.ts';
import type { Health, HealthCheck } from '../../platform/health/health.ts';
import { elect } from '../../platform/kube/election.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { createBackoff } from '../../platform/run/backoff.ts';
import { explain } from '../../platform/run/explain.ts';
import { sleep } from '../../platform/run/sleep.ts';
import { showClusterIssuers } from './cluster-issuers.ts';
import { publishedRoots, publishRoots } from './roots-config-map.ts';
import { caBundle, updateCaBundles } from './webhook-ca-bundles.ts';

export interface KeepClusterCurrentOptions {
  readonly kube: Kube;
  readonly log: Logger;
  readonly health: Health;
  readonly signal: AbortSignal;
  readonly releaseNamespace: string;
  readonly rootsJson: string;
  /** Every `system` root in use (DER), as the trust document names them: while one replaces another, both. */
  systemRoots(): readonly Uint8Array[];
  readonly webhookConfigurations: readonly string[];
  /** Milliseconds. */
  now(): number;
  /** How often to look. */
  readonly periodMs?: number;
  readonly leaseMs?: number;
}

/** A configuration that was applied anew has no caBundle, and with failurePolicy Fail no enclave starts until it has. */
const PERIOD_MS = 1_000;
/** Another process takes over this long after the one that wrote was killed, at most. */
const LEASE_MS = 8_000;

/**
 * Keeps what the certificate service writes into the cluster as it should be: the first roots, webhooks' caBundle, and once the issuers. One process
 * writes, by election: two with different roots (a folder that was not the same) would change each other's without end.
 */
export async function keepClusterCurrent(options: KeepClusterCurrentOptions): Promise<void> {
  const { kube, log, health, signal, releaseNamespace, leaseMs = LEASE_MS } = options;
  const identity = randomUUID();
  const name = binaryName('certs');
  const check = health.check('roots');
  let leads = false;
  await Promise.all([
    elect({ kube, name, namespace: releaseNamespace, identity, signal, log, leaseMs }, async (term) => {
      leads = true;
      await write(options, check, term).finally(() => {
        leads = false;
      });
    }),
    standBy(options, check, () => leads),
  ]);
}

async function write(
  options: KeepClusterCurrentOptions,
  check: HealthCheck,
  signal: AbortSignal,
): Promise<void> {
  const { kube, log, releaseNamespace, rootsJson, webhookConfigurations } = options;
  const backoff = createBackoff(200, 10_000);
  let shown = false;
  while (!signal.aborted) {
    try {
      if (await publishRoots(kube, releaseNamespace, rootsJson)) log.info({}, 'roots published');
      check.ok();
      const bundle = caBundle(options.systemRoots());
      const changed = await updateCaBundles(kube, webhookConfigurations, bundle);
      if (changed.length > 0) log.info({ changed }, 'caBundle written');
      if (!shown) await showClusterIssuers(kube, options.now());
      shown = true;
      backoff.reset();
      await sleep(options.periodMs ?? PERIOD_MS, signal);
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ reason: explain(error) }, 'roots, caBundle or issuers could not be written');
      await backoff.wait(signal);
    }
  }
}

/** Who does not write is ready when the one that does publishes the same roots. */
async function standBy(
  options: KeepClusterCurrentOptions,
  check: HealthCheck,
  leads: () => boolean,
): Promise<void> {
  const { kube, signal, releaseNamespace, rootsJson, periodMs = PERIOD_MS } = options;
  do {
    if (leads()) continue;
    const published = await publishedRoots(kube, releaseNamespace).catch(() => undefined);
    if (leads() || published === undefined) continue;
    if (published === rootsJson) check.ok();
    else
      check.fail(
        `ConfigMap ${ROOTS_CONFIG_MAP} holds other roots: another certificate service, with another folder`,
      );
  } while (await sleep(periodMs, signal));
}
