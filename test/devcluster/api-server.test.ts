import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiServer, startApiServer } from '../../devcluster/api/api-server.ts';
import { type ApiClient, apiClient, makeNamespace } from '../contract/api-client.ts';
import { apiServerContract } from '../contract/api-server.ts';
import { apiServerUnderTest, isRealApiServer } from '../support/api-server-under-test.ts';
import { until } from '../support/until.ts';

apiServerContract(isRealApiServer ? 'kube-apiserver' : 'devcluster', apiServerUnderTest);

/** What a real server does only after minutes, done at once. */
function ownBehaviour(): void {
  let server: ApiServer;
  let admin: ApiClient;
  beforeAll(async () => {
    server = await startApiServer({ address: '127.0.0.1', port: 0, historyLimit: 3 });
    const under = {
      ...server,
      kubeconfig: '',
      issueClient: server.issueClientCertificate,
      stop: server.close,
    };
    admin = apiClient(under, await server.issueClientCertificate('admin', ['system:masters']));
  });
  afterAll(() => server.close());

  test('a version that history no longer reaches has expired: for a watch and for the rest of a list', async () => {
    const maps = `/api/v1/namespaces/${await makeNamespace(admin)}/configmaps`;
    for (const name of ['a', 'b', 'c']) await admin.post(maps, { metadata: { name } });
    const page = await admin.get(`${maps}?limit=1`);
    server.compact();
    const watching = await admin.watch(
      `${maps}?watch=true&resourceVersion=${page.body['metadata']?.['resourceVersion']}`,
    );
    expect(await watching.take(1)).toMatchObject([
      { type: 'ERROR', object: { kind: 'Status', reason: 'Expired', code: 410 } },
    ]);
    expect(await admin.get(`${maps}?limit=1&continue=${page.body['metadata']?.['continue']}`)).toMatchObject({
      status: 410,
      body: { reason: 'Expired' },
    });
  });

  test('history is bounded', async () => {
    const maps = `/api/v1/namespaces/${await makeNamespace(admin)}/configmaps`;
    const first = await admin.post(maps, { metadata: { name: 'first' } });
    for (const name of ['a', 'b', 'c', 'd']) await admin.post(maps, { metadata: { name } });
    const watching = await admin.watch(
      `${maps}?watch=true&resourceVersion=${first.body['metadata']?.['resourceVersion']}`,
    );
    expect(await watching.take(1)).toMatchObject([{ type: 'ERROR', object: { code: 410 } }]);
  });

  test('a deleted namespace takes what it holds with it, and waits for pods that run', async () => {
    const name = await makeNamespace(admin);
    const core = `/api/v1/namespaces/${name}`;
    await admin.post(`${core}/secrets`, { metadata: { name: 's' } });
    await admin.post(`${core}/pods`, {
      metadata: { name: 'p' },
      spec: { containers: [{ name: 'a', image: 'a' }] },
    });
    await admin.post(`${core}/pods/p/binding`, {
      metadata: { name: 'p' },
      target: { kind: 'Node', name: 'n' },
    });
    expect((await admin.delete(core)).body).toMatchObject({
      kind: 'Namespace',
      status: { phase: 'Terminating' },
    });
    expect(await admin.post(`${core}/secrets`, { metadata: { name: 't' } })).toMatchObject({
      status: 403,
      body: { details: { causes: [{ reason: 'NamespaceTerminating' }] } },
    });
    await until('secrets are gone', async () => (await admin.get(`${core}/secrets/s`)).status === 404);
    expect((await admin.get(`${core}/pods/p`)).body['metadata']?.['deletionTimestamp']).toBeDefined();
    await admin.delete(`${core}/pods/p`, { gracePeriodSeconds: 0 });
    await until('the namespace is gone', async () => (await admin.get(core)).status === 404);
  });

  test('it goes away and comes back with what it holds', async () => {
    const maps = `/api/v1/namespaces/${await makeNamespace(admin)}/configmaps`;
    await admin.post(maps, { metadata: { name: 'kept' } });
    const watching = await admin.watch(`${maps}?watch=true`);
    await watching.take(2);
    await server.suspend();
    await expect(watching.take(1)).rejects.toThrow();
    await expect(admin.get(maps)).rejects.toThrow(/ECONNREFUSED/);
    await server.resume();
    expect((await admin.get(`${maps}/kept`)).status).toBe(200);
  });
}

if (!isRealApiServer) describe('the development cluster API server', ownBehaviour);
