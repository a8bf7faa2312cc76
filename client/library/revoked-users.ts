import { REVOKED_USERS_CONFIG_MAP } from '../../names/components.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { CONFIG_MAPS } from '../../platform/kube/resources.ts';
import { usage } from '../failure.ts';

/** A user whom the operator revoked, with what was noted: since when, why. */
export interface RevokedUser {
  readonly user: string;
  readonly note: string;
}

/** What is a key of a ConfigMap and may be a user's name at front. */
const USER = /^[a-z][a-z0-9._-]{0,62}$/;

/** By name. @throws KubeError */
export async function listRevokedUsers(kube: Kube, namespace: string): Promise<readonly RevokedUser[]> {
  const { data = {} } = (await kube.get(CONFIG_MAPS, { name: REVOKED_USERS_CONFIG_MAP, namespace })) ?? {};
  return Object.keys(data)
    .sort()
    .map((user) => ({ user, note: data[user] ?? '' }));
}

/** Each user is a member of its own, so that two operators never undo each other's. @throws Failure for what is no user's name; KubeError */
export async function revokeUser(kube: Kube, namespace: string, { user, note }: RevokedUser): Promise<void> {
  if (!USER.test(user))
    throw usage(
      'user-invalid',
      `"${user.slice(0, 64)}" is no user's name`,
      'give the name that the user logs in with',
    );
  const ref = { name: REVOKED_USERS_CONFIG_MAP, namespace };
  const patch = () => kube.patch(CONFIG_MAPS, ref, { data: { [user]: note } });
  try {
    await patch();
  } catch (error) {
    if (!isKubeError(error, 'NotFound')) throw error;
    await kube.create(CONFIG_MAPS, { metadata: ref, data: { [user]: note } }).catch((failure: unknown) => {
      if (!isKubeError(failure, 'AlreadyExists')) throw failure;
      return patch();
    });
  }
}

/** @throws Failure when the user was not revoked; KubeError */
export async function restoreUser(kube: Kube, namespace: string, user: string): Promise<void> {
  const revoked = await listRevokedUsers(kube, namespace);
  if (!revoked.some((each) => each.user === user))
    throw usage('user-not-revoked', `${user} is not revoked`, 'enclavectl admin users ls shows who is');
  const ref = { name: REVOKED_USERS_CONFIG_MAP, namespace };
  await kube.patch(CONFIG_MAPS, ref, { data: { [user]: null } });
}
