import type { Component } from '../../names/components.ts';
import type { HealthCheck } from '../health/health.ts';
import type { Kube } from '../kube/kube.ts';
import type { Logger } from '../log/logger.ts';
import type { Clock } from '../run/clock.ts';
import type { Live } from '../run/live.ts';
import type { Credential } from './credential.ts';

/** A component's own key and certificate, renewed before they end. */
export type Identity = Live<Credential>;

export interface IdentityOptions {
  readonly kube: Kube;
  readonly component: Component;
  /** Names to ask for; they must be the ones that the certificate service derives. Empty: it writes the derived ones. */
  readonly dnsNames?: readonly string[];
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  /** Readiness: fails, with the reason, while no certificate is held that is good now. */
  readonly check?: HealthCheck;
  /**
   * Called when a certificate was obtained and when an attempt failed: `ok` says whether the one that is held is still good. A failed renewal with
   * hours left is no reason to stop serving. `notAfter`: unix seconds, 0 when none is held.
   */
  onRenewal?(state: { readonly ok: boolean; readonly notAfter: number }): void;
}
