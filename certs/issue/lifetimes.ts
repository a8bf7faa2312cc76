import type { Issuer } from '../../names/signers.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;

/** Clocks of nodes differ: a certificate is good this many seconds before it was made. */
export const BACKDATE_SECONDS = 300;
export const ROOT_SECONDS = 3650 * DAY;

export interface LifetimeRule {
  readonly least: number;
  readonly most: number;
  readonly default: number;
}

/** Seconds, by role. A request asks; the rule decides. */
export const LIFETIMES: Readonly<Record<Issuer, LifetimeRule>> = {
  system: { least: 600, most: DAY, default: DAY },
  enclaves: { least: 600, most: 30 * DAY, default: DAY },
  users: { least: 60, most: DAY, default: DAY },
  'attestation-keys': { least: DAY, most: 90 * DAY, default: 90 * DAY },
};

/**
 * The end of a certificate's life, unix seconds: what was asked, clamped to the role's rule, and never past `limits` (the issuer's own end,
 * a grant's). Undefined when nothing of it is left.
 */
export function clampNotAfter(
  rule: LifetimeRule,
  now: number,
  wished: number | undefined,
  ...limits: readonly number[]
): number | undefined {
  const seconds = Math.min(Math.max(wished ?? rule.default, rule.least), rule.most);
  const notAfter = Math.min(now + seconds, ...limits);
  return notAfter > now ? notAfter : undefined;
}
