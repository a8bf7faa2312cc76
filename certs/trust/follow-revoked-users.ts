import { REVOKED_USERS_CONFIG_MAP } from '../../names/components.ts';
import type { Health } from '../../platform/health/health.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { CONFIG_MAPS } from '../../platform/kube/resources.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { createBackoff } from '../../platform/run/backoff.ts';
import { explain } from '../../platform/run/explain.ts';
import { sleep } from '../../platform/run/sleep.ts';
import type { TrustPublisher } from './trust-publisher.ts';
import { usersThatFit } from './trust-state.ts';

export interface FollowRevokedUsersOptions {
  readonly kube: Kube;
  readonly publisher: TrustPublisher;
  readonly releaseNamespace: string;
  readonly health: Health;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Much less than the 30 seconds within which a user has to be out. */
const PERIOD_MS = 2_000;

/**
 * Takes over the users whom the operator names in the ConfigMap, again and again until the signal. One that cannot be read, or is gone, takes nothing back: only a
 * ConfigMap that no longer names a user does.
 */
export async function followRevokedUsers(options: FollowRevokedUsersOptions): Promise<void> {
  const { kube, publisher, releaseNamespace: namespace, health, log, signal } = options;
  const check = health.check('revoked-users');
  const backoff = createBackoff(200, 5_000);
  while (!signal.aborted) {
    try {
      const found = await kube.get(CONFIG_MAPS, { name: REVOKED_USERS_CONFIG_MAP, namespace }, signal);
      if (found !== undefined) await takeOver(Object.keys(found.data ?? {}).sort());
      else check.ok();
      backoff.reset();
      await sleep(PERIOD_MS, signal);
    } catch (error) {
      if (signal.aborted) return;
      log.warn(
        { reason: explain(error) },
        'revoked users could not be read; those known before stay revoked',
      );
      await backoff.wait(signal);
    }
  }

  async function takeOver(users: readonly string[]): Promise<void> {
    // What has no room in the document is not kept either.
    const kept = usersThatFit(users);
    const changed = await publisher.change(({ operatorRevoked }) =>
      JSON.stringify(operatorRevoked) === JSON.stringify(kept) ? undefined : { operatorRevoked: kept },
    );
    if (changed) log.info({ users: users.length }, 'the operator’s list of revoked users changed');
    const left = users.length - kept.length;
    if (left === 0) check.ok();
    else
      check.fail(
        `${left} users of ${REVOKED_USERS_CONFIG_MAP} have no room in the trust document: remove others`,
      );
  }
}
