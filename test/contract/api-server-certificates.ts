import { execFileSync } from 'node:child_process';
import { beforeAll, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { type ApiAnswer, type ApiClient, apiClient, makeNamespace, unique } from './api-client.ts';
import type { Subject } from './api-server.ts';

const CSRS = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';

/** CertificateSigningRequests: who made them, who may approve and sign. */
export function certificateContract(subject: Subject): void {
  let namespace: string;
  let core: string;
  beforeAll(async () => {
    namespace = await makeNamespace(subject.admin);
    core = `/api/v1/namespaces/${namespace}`;
    await subject.admin.post('/api/v1/nodes', { metadata: { name: 'access-node' } });
    await subject.admin.post(`${core}/pods`, {
      metadata: { name: 'p1' },
      spec: { containers: [{ name: 'a', image: 'a' }] },
    });
    await subject.admin.post(`${core}/pods/p1/binding`, {
      metadata: { name: 'p1' },
      target: { kind: 'Node', name: 'access-node' },
    });
  });
  const as = async (user: string): Promise<ApiClient> =>
    apiClient(subject.server, await subject.server.issueClient(user, []));

  test('a certificate request says who made it, is approved and signed by whom its signer allows, and once', async () => {
    const signer = 'example.com/contract';
    const name = unique('csr');
    const pem = execFileSync(
      'openssl',
      [
        'req',
        '-new',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        '/dev/null',
        '-subj',
        '/CN=x',
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const request = pem.toString('base64');
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'p1' };
    const issued = await subject.admin.post(`${core}/serviceaccounts/default/token`, {
      spec: { boundObjectRef },
    });
    const value = issued.body['status']?.['token'];
    await grant(
      'csr-maker',
      [
        {
          verbs: ['create', 'get'],
          apiGroups: ['certificates.k8s.io'],
          resources: ['certificatesigningrequests'],
        },
      ],
      `system:serviceaccount:${namespace}:default`,
    );
    const account = apiClient(subject.server, { token: String(value) });
    const spec = {
      signerName: signer,
      usages: ['client auth'],
      request,
      expirationSeconds: 600,
      username: 'forged',
    };
    const made = await until('the right to create', async () => {
      const answer = await account.post(CSRS, { metadata: { name }, spec });
      return answer.status === 403 ? undefined : answer;
    });
    expect(made).toMatchObject({
      status: 201,
      body: {
        spec: {
          username: `system:serviceaccount:${namespace}:default`,
          groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
          extra: {
            'authentication.kubernetes.io/node-name': ['access-node'],
            'authentication.kubernetes.io/pod-name': ['p1'],
          },
        },
      },
    });
    const changed = await subject.admin.patch(`${CSRS}/${name}`, 'merge', {
      spec: { usages: ['server auth'] },
    });
    expect(changed.body['spec']).toMatchObject({ usages: ['client auth'] });
    for (const wrong of [
      { request: 'AAAA' },
      { signerName: 'nodomain' },
      { usages: [] },
      { usages: ['fly'] },
      { expirationSeconds: 1 },
    ])
      expect(
        await subject.admin.post(CSRS, { metadata: { name: 'wrong' }, spec: { ...spec, ...wrong } }),
      ).toMatchObject({ status: 422 });

    const clerk = await as('clerk');
    await grant(
      'clerk',
      [
        {
          verbs: ['get', 'update', 'patch'],
          apiGroups: ['certificates.k8s.io'],
          resources: [
            'certificatesigningrequests',
            'certificatesigningrequests/approval',
            'certificatesigningrequests/status',
          ],
        },
      ],
      'clerk',
    );
    const approved = { conditions: [{ type: 'Approved', status: 'True', reason: 'Contract', message: 'm' }] };
    const approve = (): Promise<ApiAnswer> =>
      clerk.patch(`${CSRS}/${name}/approval`, 'merge', { status: approved });
    const refused = await until('the role counts', async () => {
      const answer = await approve();
      return String(answer.body['message']).includes('cannot patch') ? undefined : answer;
    });
    expect(refused).toMatchObject({ status: 403 });
    expect(refused.body['message']).toContain(
      `user not permitted to approve requests with signerName "${signer}"`,
    );
    await grant(
      'approver',
      [
        {
          verbs: ['approve'],
          apiGroups: ['certificates.k8s.io'],
          resources: ['signers'],
          resourceNames: ['example.com/*'],
        },
      ],
      'clerk',
    );
    await until('the clerk approves', async () => (await approve()).status === 200);
    expect(
      await subject.admin.patch(`${CSRS}/${name}/approval`, 'merge', { status: { conditions: [] } }),
    ).toMatchObject({ status: 422 });

    const certificate = Buffer.from((await subject.server.issueClient('x', [])).certPem).toString('base64');
    const sign = (client: ApiClient, value: string): Promise<ApiAnswer> =>
      client.patch(`${CSRS}/${name}/status`, 'merge', { status: { certificate: value } });
    expect(await sign(clerk, certificate)).toMatchObject({ status: 403 });
    expect(await sign(subject.admin, request)).toMatchObject({ status: 422 });
    const signed = await sign(subject.admin, certificate);
    expect(signed).toMatchObject({
      status: 200,
      body: { status: { certificate, conditions: [{ type: 'Approved' }] } },
    });
    const second = Buffer.from((await subject.server.issueClient('y', [])).certPem).toString('base64');
    expect(await sign(subject.admin, second)).toMatchObject({ status: 422 });
    expect(
      (await subject.admin.get(`${CSRS}?fieldSelector=spec.signerName%3Dexample.com%2Fcontract`)).body[
        'items'
      ],
    ).toMatchObject({ length: expect.any(Number) });
  });

  async function grant(name: string, rules: object[], user: string): Promise<void> {
    const role = unique(name);
    await subject.admin.post(`${RBAC}/clusterroles`, { metadata: { name: role }, rules });
    await subject.admin.post(`${RBAC}/clusterrolebindings`, {
      metadata: { name: role },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: user }],
    });
  }
}
