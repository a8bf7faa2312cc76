import { listRevokedUsers, restoreUser, revokeUser } from '../library/revoked-users.ts';
import { isoTime } from './own-credential.ts';
import { plainTable } from './terminal/plain-table.ts';
import { type AdminFlags, withCluster } from './with-cluster.ts';
import type { Workspace } from './workspace.ts';

export interface RevokeUserFlags extends AdminFlags {
  readonly note?: string;
}

/** `enclavectl admin users ls`: users who are revoked. */
export async function listRevoked(workspace: Workspace, flags: AdminFlags): Promise<void> {
  const users = await withCluster(workspace, flags, (kube) => listRevokedUsers(kube, flags.namespace));
  const rows = users.map(({ user, note }) => [user, note]);
  workspace.output.result(
    { ok: true, revoked: users },
    rows.length === 0 ? ['no user is revoked'] : plainTable(['USER', 'NOTE'], rows),
  );
}

/** `enclavectl admin users revoke USER`: no session, certificate, connection or token of the user counts any more. */
export async function revokeOne(workspace: Workspace, user: string, flags: RevokeUserFlags): Promise<void> {
  const note = [
    `revoked ${isoTime(workspace.now())}`,
    ...(flags.note === undefined ? [] : [flags.note]),
  ].join('; ');
  await withCluster(workspace, flags, (kube) => revokeUser(kube, flags.namespace, { user, note }));
  workspace.output.result({ ok: true, revoked: user }, [
    `${user} is revoked: open connections end within 30 seconds; enclaves of theirs go on running`,
  ]);
}

/** `enclavectl admin users restore USER`: takes it back. */
export async function restoreOne(workspace: Workspace, user: string, flags: AdminFlags): Promise<void> {
  await withCluster(workspace, flags, (kube) => restoreUser(kube, flags.namespace, user));
  workspace.output.result({ ok: true, restored: user }, [`${user} is no longer revoked`]);
}
