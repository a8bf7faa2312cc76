import { afterAll, beforeAll, expect, test } from 'vitest';
import { listRevokedUsers, restoreUser, revokeUser } from '../../client/library/revoked-users.ts';
import { REVOKED_USERS_CONFIG_MAP } from '../../names/components.ts';
import { CONFIG_MAPS } from '../../platform/kube/resources.ts';
import { until } from '../support/until.ts';
import { RELEASE, startTestCluster, type TestCluster } from './cluster.ts';
import { openSession, type Session } from './session.ts';

let cluster: TestCluster;
let session: Session;
beforeAll(async () => {
  cluster = await startTestCluster();
  session = await openSession(cluster);
});
afterAll(async () => {
  await session?.stop();
  await cluster?.close();
});

async function published(): Promise<string[]> {
  const { revoked } = await session.document(await session.trustClient('enclave-front'));
  return revoked.users.map(({ user }) => user);
}

test('users whom the operator names are revoked until they are no longer named, and longer than anything that breaks', async () => {
  const revoke = (user: string) => revokeUser(cluster.admin, RELEASE, { user, note: 'left' });
  await Promise.all(['mallory', 'eve', 'trudy'].map(revoke));
  expect(await listRevokedUsers(cluster.admin, RELEASE)).toEqual(
    ['eve', 'mallory', 'trudy'].map((user) => ({ user, note: 'left' })),
  );
  await until('all three', async () => (await published()).length === 3);
  await restoreUser(cluster.admin, RELEASE, 'eve');
  await until('eve', async () => !(await published()).includes('eve'));
  await expect(restoreUser(cluster.admin, RELEASE, 'eve')).rejects.toMatchObject({
    code: 'user-not-revoked',
  });
  for (const user of ['../x', 'Eve', '', 'a\u0301', 'x'.repeat(64)])
    await expect(revoke(user)).rejects.toMatchObject({ code: 'user-invalid' });

  // The list is gone, and then the API server, while the service is started anew: nobody comes back by that.
  await cluster.admin.delete(CONFIG_MAPS, { name: REVOKED_USERS_CONFIG_MAP, namespace: RELEASE });
  const { version } = await session.document(await session.trustClient('enclave-front'));
  await session.restart(async () => undefined);
  const after = await session.document(await session.trustClient('enclave-front'), version);
  expect(after.revoked.users).toEqual([{ user: 'mallory' }, { user: 'trudy' }]);
  await revoke('oscar');
  await until('only oscar', async () => (await published()).join() === 'oscar');
});

test('no component but the certificate service reads the list, and it writes none', async () => {
  const ref = { name: REVOKED_USERS_CONFIG_MAP, namespace: RELEASE };
  const denied = { status: 403 };
  for (const account of ['enclave-front', 'enclave-launcher']) {
    const kube = await cluster.as(account);
    await expect(kube.get(CONFIG_MAPS, ref)).rejects.toMatchObject(denied);
    await expect(kube.patch(CONFIG_MAPS, ref, { data: { oscar: null } })).rejects.toMatchObject(denied);
  }
  const certs = await cluster.as('enclave-certs');
  await expect(certs.patch(CONFIG_MAPS, ref, { data: { oscar: null } })).rejects.toMatchObject(denied);
});
