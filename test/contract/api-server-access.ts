import { beforeAll, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { type ApiAnswer, type ApiClient, apiClient, makeNamespace, unique } from './api-client.ts';
import type { Subject } from './api-server.ts';

const TOKEN_REVIEWS = '/apis/authentication.k8s.io/v1/tokenreviews';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';

/** Who is who, and who may what. */
export function accessContract(subject: Subject): void {
  let namespace: string;
  let core: string;
  beforeAll(async () => {
    namespace = await makeNamespace(subject.admin);
    core = `/api/v1/namespaces/${namespace}`;
    await subject.admin.post('/api/v1/nodes', { metadata: { name: 'access-node' } });
    for (const name of ['p1', 'p2'])
      await subject.admin.post(`${core}/pods`, {
        metadata: { name },
        spec: {
          containers: [{ name: 'a', image: 'a' }],
          volumes: [
            { name: 't', projected: { sources: [{ serviceAccountToken: { path: 't', audience: 'ours' } }] } },
          ],
        },
      });
    await subject.admin.post(`${core}/pods/p1/binding`, {
      metadata: { name: 'p1' },
      target: { kind: 'Node', name: 'access-node' },
    });
  });
  const as = async (user: string, ...groups: string[]): Promise<ApiClient> =>
    apiClient(subject.server, await subject.server.issueClient(user, groups));
  const token = async (spec: object, client = subject.admin): Promise<ApiAnswer> =>
    client.post(`${core}/serviceaccounts/default/token`, { spec });
  const review = async (value: unknown, audiences?: string[]): Promise<ApiAnswer['body']> =>
    (await subject.admin.post(TOKEN_REVIEWS, { spec: { token: value, audiences } })).body['status'] ?? {};
  const podRef = async (name: string) => {
    const { body } = await subject.admin.get(`${core}/pods/${name}`);
    return { apiVersion: 'v1', kind: 'Pod', name, uid: body['metadata']?.['uid'] };
  };

  test('nobody is anonymous', async () => {
    for (const credentials of [undefined, { token: 'x' }, { token: 'eyJhbGciOiJub25lIn0.e30.' }])
      expect(await apiClient(subject.server, credentials).get('/api/v1/pods')).toMatchObject({
        status: credentials === undefined ? expect.toBeOneOf([401, 403]) : 401,
        body: { kind: 'Status', status: 'Failure' },
      });
  });

  test('a token is bound to pod and node, and is for its audiences only', async () => {
    const boundObjectRef = await podRef('p1');
    const issued = await token({ audiences: ['ours'], expirationSeconds: 600, boundObjectRef });
    expect(issued).toMatchObject({
      status: 201,
      body: { kind: 'TokenRequest', spec: { audiences: ['ours'] } },
    });
    const value = issued.body['status']?.['token'];
    const node = (await subject.admin.get('/api/v1/nodes/access-node')).body['metadata']?.['uid'];
    const prefix = 'authentication.kubernetes.io';
    expect(await review(value, ['ours', 'other'])).toMatchObject({
      authenticated: true,
      audiences: ['ours'],
      user: {
        username: `system:serviceaccount:${namespace}:default`,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
        extra: {
          [`${prefix}/pod-name`]: ['p1'],
          [`${prefix}/pod-uid`]: [boundObjectRef.uid],
          [`${prefix}/node-name`]: ['access-node'],
          [`${prefix}/node-uid`]: [node],
          [`${prefix}/credential-id`]: [expect.stringMatching(/^JTI=/)],
        },
      },
    });
    const foreign = await review(value, ['other']);
    expect(foreign['authenticated']).toBeUndefined();
    expect(foreign['error']).toContain('invalid bearer token');
    expect((await review(value))['authenticated']).toBeUndefined();
    expect((await apiClient(subject.server, { token: String(value) }).get('/version')).status).toBe(401);
    expect(await token({ expirationSeconds: 60 })).toMatchObject({ status: 422 });
    expect(await token({ boundObjectRef: { ...boundObjectRef, uid: 'other' } })).toMatchObject({
      status: 409,
    });
  });

  test('the token of a deleted pod is worth nothing, even if another has its name', async () => {
    const value = (await token({ boundObjectRef: await podRef('p2') })).body['status']?.['token'];
    expect(await review(value)).toMatchObject({ authenticated: true });
    await subject.admin.delete(`${core}/pods/p2`);
    const again = { metadata: { name: 'p2' }, spec: { containers: [{ name: 'a', image: 'a' }] } };
    expect((await subject.admin.post(`${core}/pods`, again)).status).toBe(201);
    // A real server remembers a good token for some seconds.
    await until('the token is refused', async () => (await review(value))['authenticated'] === undefined);
  });

  test('a user may what a role says, and is told what not', async () => {
    const user = unique('ada');
    const client = await as(user, 'team');
    const refused = await client.get(`${core}/secrets/s1`);
    expect(refused).toMatchObject({
      status: 403,
      body: { reason: 'Forbidden', details: { name: 's1', kind: 'secrets' } },
    });
    expect(refused.body['message']).toBe(
      `secrets "s1" is forbidden: User "${user}" cannot get resource "secrets" in API group "" in the namespace "${namespace}"`,
    );
    expect((await client.get('/api/v1/nodes')).body['message']).toBe(
      `nodes is forbidden: User "${user}" cannot list resource "nodes" in API group "" at the cluster scope`,
    );
    expect((await client.get('/metrics/private')).body['message']).toBe(
      `forbidden: User "${user}" cannot get path "/metrics/private"`,
    );
    expect((await client.get('/apis')).status).toBe(200);
    const rules = [
      { verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['s1'] },
      { verbs: ['create', 'list'], apiGroups: [''], resources: ['configmaps'] },
    ];
    await subject.admin.post(`${RBAC}/namespaces/${namespace}/roles`, { metadata: { name: 'r' }, rules });
    await subject.admin.post(`${RBAC}/namespaces/${namespace}/rolebindings`, {
      metadata: { name: 'r' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
      subjects: [
        { kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'team' },
        { kind: 'ServiceAccount', name: 'default', namespace },
      ],
    });
    await until('the role counts', async () => (await client.get(`${core}/secrets/s1`)).status === 404);
    expect((await client.get(`${core}/secrets/s2`)).status).toBe(403);
    expect((await client.get(`${core}/secrets`)).status).toBe(403);
    expect((await client.get('/api/v1/namespaces/default/secrets/s1')).status).toBe(403);
    expect((await client.post(`${core}/configmaps`, { metadata: { name: 'by-role' } })).status).toBe(201);
    expect((await client.get(`${core}/configmaps`)).status).toBe(200);
    expect((await client.delete(`${core}/configmaps/by-role`)).status).toBe(403);
    const value = (await token({})).body['status']?.['token'];
    const account = apiClient(subject.server, { token: String(value) });
    expect((await account.get(`${core}/secrets/s1`)).status).toBe(404);
    const asked = {
      spec: { resourceAttributes: { verb: 'get', resource: 'secrets', name: 's1', namespace } },
    };
    expect(await client.post('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', asked)).toMatchObject({
      status: 201,
      body: { status: { allowed: true } },
    });
  });

  test('a node reaches its own pods and what they refer to', async () => {
    const node = await as('system:node:access-node', 'system:nodes');
    const other = await as('system:node:other', 'system:nodes');
    const own = `/api/v1/pods?fieldSelector=spec.nodeName%3Daccess-node`;
    expect((await node.get(own)).status).toBe(200);
    expect((await other.get(own)).status).toBe(403);
    expect((await node.get('/api/v1/pods')).status).toBe(403);
    expect((await node.get(`${core}/secrets/s1`)).status).toBe(403);
    const boundObjectRef = await podRef('p1');
    expect((await token({ audiences: ['ours'], boundObjectRef }, node)).status).toBe(201);
    expect((await token({ audiences: ['others'], boundObjectRef }, node)).status).toBe(403);
    expect((await token({ audiences: ['ours'], boundObjectRef }, other)).status).toBe(403);
    expect(
      (await node.patch('/api/v1/nodes/access-node/status', 'strategic-merge', { status: {} })).status,
    ).toBe(200);
    expect(
      (await other.patch('/api/v1/nodes/access-node/status', 'strategic-merge', { status: {} })).status,
    ).toBe(403);
    const stray = { metadata: { name: 'stray' }, spec: { containers: [{ name: 'a', image: 'a' }] } };
    const refused = await node.post(`${core}/pods`, stray);
    expect(refused).toMatchObject({ status: 403, body: { reason: 'Forbidden' } });
    expect(refused.body['message']).toContain('can only create mirror pods');
    const lease = { metadata: { name: 'access-node' }, spec: { holderIdentity: 'access-node' } };
    expect(
      await node.post('/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', lease),
    ).toMatchObject({ status: expect.toBeOneOf([201, 409]) });
  });
}
