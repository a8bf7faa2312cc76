import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ANNOTATIONS, INJECT_LABEL, INJECTION_LABEL } from '../../names/labels.ts';
import { SIDECAR_CONTAINER, TOKEN_VOLUME } from '../../names/sidecar.ts';
import { AGENT_AUDIENCE } from '../../names/wire.ts';
import type { ApiAnswer, ApiClient } from '../contract/api-client.ts';
import { APP_IMAGE } from '../injection/support.ts';
import { isRealApiServer } from '../support/api-server-under-test.ts';
import { until } from '../support/until.ts';
import { bare, enclave, LAUNCHED, pods, REFUSED } from './admission-requests.ts';
import { type Attempt, type Caller, NODE } from './attempt.ts';
import {
  ATTESTED_NODE,
  KEPT_POLICY,
  OTHER_POLICY,
  READ_OF_KUBELET,
  TAKEN_OF_CLUSTER,
  USER_REQUEST,
} from './cluster-requests.ts';
import { must, type PolicyServer, said, startPolicyServer } from './policy-server.ts';
import { policyName } from './release-policies.ts';
import { WARNED } from './template-requests.ts';

let server: PolicyServer;
const as = (caller: Caller): ApiClient => server.as(caller);
const send = (attempt: Attempt): Promise<ApiAnswer> => server.send(attempt);

beforeAll(async () => {
  server = await startPolicyServer();
});
afterAll(() => server?.stop());

if (!isRealApiServer) test('the devcluster stores them', () => server.register());

function onTheRealOne(): void {
  const admin = (): ApiClient => as('admin');
  beforeAll(async () => {
    for (const [name, labels] of [
      ['shop', { [INJECTION_LABEL]: 'enabled' }],
      ['plain', {}],
      ['enclave-licensing', { [INJECTION_LABEL]: 'enabled' }],
    ] as const)
      await must(admin().post('/api/v1/namespaces', { metadata: { name, labels } }));
    for (const [namespace, name] of [
      ['shop', 'web'],
      ['shop', 'default'],
      ['plain', 'web'],
      ['plain', 'default'],
      ['kube-system', 'web'],
      ['enclave-licensing', 'web'],
    ])
      await until(`service account in ${namespace}`, async () => {
        const { status } = await admin().post(`/api/v1/namespaces/${namespace}/serviceaccounts`, {
          metadata: { name },
        });
        return status === 201 || status === 409;
      });
    const allocatable = { cpu: '4', memory: '8Gi', pods: '9' };
    await must(admin().post('/api/v1/nodes', { metadata: { name: NODE }, status: { allocatable } }));
    await must(
      admin().post('/api/v1/namespaces/shop/services', {
        metadata: { name: 'web' },
        spec: { ports: [{ port: 8080 }] },
      }),
    );
    await server.defineNodes();
    await server.register();
    for (const [first] of Object.values(REFUSED))
      await until(`${first?.what} is refused`, async () => {
        // What others need is there only afterwards: this asks for policies that look at pods which do not exist yet.
        const answer = first && (await send(first));
        return answer !== undefined && (answer.status === 404 || said(answer).includes('denied request'));
      });
    const { metadata, spec } = enclave('placed');
    const placed = { metadata, spec: { ...spec, nodeName: NODE } };
    for (const pod of [enclave('web'), enclave('waiting'), placed, bare('other')])
      await must(admin().post(pods('shop'), pod));
    await must(send(LAUNCHED));
    for (const attempt of [USER_REQUEST, KEPT_POLICY, OTHER_POLICY, ATTESTED_NODE]) await must(send(attempt));
    for (const [first] of Object.values(REFUSED))
      await until(
        `${first?.what} is refused`,
        async () => first && said(await send(first)).includes('denied request'),
      );
  });

  describe.each(Object.entries(REFUSED))('%s refuses', (policy, attempts) => {
    test.each(attempts.map((attempt) => [attempt.what, attempt] as const))('%s', async (_what, attempt) => {
      const answer = await send(attempt);
      expect(said(answer)).toContain(
        `'${policyName(policy)}' with binding '${policyName(policy)}' denied request: `,
      );
      expect(answer.status).toBe(403);
    });
  });

  test('a ReplicaSet makes enclaves of its template, and the kubelet runs them as any pod', async () => {
    const template = enclave('x').metadata;
    const metadata = {
      generateName: 'web-5c-',
      labels: { [INJECT_LABEL]: 'enabled', 'pod-template-hash': '5c' },
      annotations: template?.['annotations'],
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-5c', uid: 'u', controller: true },
      ],
    };
    const { body } = await must(as('replicaSets').post(pods('shop'), { ...enclave('x'), metadata }));
    const { name, uid } = body['metadata'] as unknown as { name: string; uid: string };
    const at = pods('shop', `/${name}`);
    await must(
      as('scheduler').post(`${at}/binding`, { metadata: { name }, target: { kind: 'Node', name: NODE } }),
    );
    const kubelet = as('kubelet');
    const status = { phase: 'Running', podIP: '10.1.2.3', podIPs: [{ ip: '10.1.2.3' }], hostIP: '10.1.2.1' };
    await must(kubelet.patch(`${at}/status`, 'strategic-merge', { metadata: { uid }, status }));
    // Whoever may write the status writes the rest of it.
    const conditions = [{ type: 'Ready', status: 'False', reason: 'NodeLost' }];
    await must(admin().patch(`${at}/status`, 'strategic-merge', { status: { conditions } }));
    const spec = {
      audiences: [AGENT_AUDIENCE],
      boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid },
    };
    await until('the node may see its pod', async () => {
      const path = '/api/v1/namespaces/shop/serviceaccounts/web/token';
      return (await kubelet.post(path, { spec })).status === 201;
    });
    // The owner's controller and people: anything but what is ours.
    await must(as('replicaSets').patch(at, 'strategic-merge', { metadata: { labels: { app: 'web' } } }));
    const resources = { requests: { cpu: '2m' } };
    await must(
      admin().patch(`${at}/resize`, 'strategic-merge', {
        spec: { containers: [{ name: 'app', resources }] },
      }),
    );
    await must(admin().post(`${at}/eviction?dryRun=All`, { metadata: { name } }));
    // That it has ended says its kubelet, and of a lost node's pods the garbage collector.
    const ended = (phase: string): object => ({ status: { phase } });
    await must(kubelet.patch(`${at}/status`, 'strategic-merge', ended('Succeeded')));
    await must(as('podCollector').patch(`${at}/status`, 'strategic-merge', ended('Failed')));
    await must(kubelet.delete(at, { gracePeriodSeconds: 0 }));
  });

  test('a Job’s pod ends as any: its finalizer is taken away and the garbage collector deletes it', async () => {
    const metadata = {
      ...enclave('x').metadata,
      name: 'job-1',
      finalizers: ['batch.kubernetes.io/job-tracking'],
    };
    await must(as('jobs').post(pods('shop'), { ...enclave('x'), metadata }));
    const at = pods('shop', '/job-1');
    await must(as('collector').delete(at, { gracePeriodSeconds: 0 }));
    expect((await must(admin().get(at))).body['metadata']?.['deletionTimestamp']).toBeDefined();
    await must(as('jobs').patch(at, 'merge', { metadata: { finalizers: null } }));
    expect((await admin().get(at)).status).toBe(404);
  });

  test('other subresources change no metadata', async () => {
    const before = (await must(admin().get(pods('shop', '/web')))).body['metadata']?.['annotations'];
    for (const subresource of ['resize', 'ephemeralcontainers'])
      await admin().patch(pods('shop', `/web/${subresource}`), 'strategic-merge', {
        metadata: { annotations: { [ANNOTATIONS.mode]: 'http' } },
      });
    expect((await must(admin().get(pods('shop', '/web')))).body['metadata']?.['annotations']).toEqual(before);
  });

  test('what is no enclave stays as free as it was', async () => {
    const wild = (name: string): object =>
      bare(
        name,
        {},
        { hostNetwork: true, serviceAccountName: 'web', volumes: [{ name: 'h', hostPath: { path: '/' } }] },
      );
    for (const namespace of ['shop', 'plain', 'enclave-licensing', 'kube-system'])
      await must(admin().post(pods(namespace), wild('wild')));
    await must(
      admin().patch(pods('shop', '/wild'), 'strategic-merge', {
        spec: { containers: [{ name: 'app', image: 'app:2' }] },
      }),
    );
    const debug = { ephemeralContainers: [{ name: 'debug', image: 'busybox' }] };
    await must(admin().patch(pods('shop', '/wild/ephemeralcontainers'), 'strategic-merge', { spec: debug }));
    await must(
      admin().post('/api/v1/namespaces/shop/serviceaccounts/web/token', { spec: { audiences: ['a'] } }),
    );
    expect(said(await admin().get(pods('plain', '/wild/exec?command=sh&stdout=true')))).not.toContain(
      'denied',
    );
    for (const namespace of ['enclave-licensing', 'kube-system'])
      await must(
        admin().post(pods(namespace), {
          ...enclave('ours'),
          metadata: { name: 'ours', labels: { [INJECT_LABEL]: 'no' } },
        }),
      );
    // Names are reserved where enclaves are.
    const volumes = [{ name: TOKEN_VOLUME, emptyDir: {} }];
    const volumeMounts = [{ name: TOKEN_VOLUME, mountPath: '/t' }];
    const initContainers = [{ name: SIDECAR_CONTAINER, image: APP_IMAGE, volumeMounts }];
    const containers = [{ name: 'app', image: APP_IMAGE, volumeMounts }];
    await must(admin().post(pods('plain'), bare('elsewhere', {}, { initContainers, containers, volumes })));
  });

  test.each(TAKEN_OF_CLUSTER.map((attempt) => [attempt.what, attempt] as const))(
    'beside enclaves goes through: %s',
    async (_what, attempt) => {
      await must(send(attempt));
    },
  );

  test('what a monitor reads of a kubelet goes through', async () => {
    for (const attempt of READ_OF_KUBELET) expect(said(await send(attempt))).not.toContain('denied request');
  });

  test.each(WARNED.map((attempt) => [attempt.what, attempt] as const))(
    'a warning beside what is made: %s',
    async (_what, { says, ...attempt }) => {
      const { headers } = await must(send(attempt));
      expect(headers['warning'] ?? '').toMatch(says);
    },
  );

  test('a pod of a megabyte is judged within what CEL may cost', async () => {
    const { metadata, spec } = enclave('large');
    const value = 'v'.repeat(70);
    const env = Array.from({ length: 10_000 }, (_, index) => ({ name: `VARIABLE_${index}`, value }));
    const large = (more: object[]): object => ({
      metadata,
      spec: { ...spec, containers: [{ name: 'app', image: APP_IMAGE, env: [...env, ...more] }] },
    });
    expect(JSON.stringify(large([])).length).toBeGreaterThan(1e6);
    const post = (body: object): Promise<ApiAnswer> => admin().post(pods('shop', '?dryRun=All'), body);
    await must(post(large([])));
    expect(said(await post(large([{ name: 'ENCLAVE_SIDECAR_X' }])))).toContain('Rename the variable');
  });

  test('a namespace that is deleted takes the webhook’s NetworkPolicy with it', async () => {
    const labels = { [INJECTION_LABEL]: 'enabled' };
    await must(admin().post('/api/v1/namespaces', { metadata: { name: 'gone', labels } }));
    const path = '/apis/networking.k8s.io/v1/namespaces/gone/networkpolicies';
    await must(as('webhook').post(path, KEPT_POLICY.body));
    const kept = `${path}/enclave-licensing-launched`;
    expect((await as('namespaces').delete(kept)).status).toBe(403);
    await must(admin().delete('/api/v1/namespaces/gone'));
    await until('the policy goes', async () => (await as('namespaces').delete(kept)).status === 200);
  });

  test('what had the webhook’s name before the label came can be deleted', async () => {
    const path = '/apis/networking.k8s.io/v1/namespaces/taken/networkpolicies';
    const theirs = { metadata: { name: 'enclave-licensing-launched' }, spec: { podSelector: {} } };
    const metadata = { name: 'taken', labels: { [INJECTION_LABEL]: 'enabled' } };
    await must(admin().post('/api/v1/namespaces', { metadata }));
    await must(as('webhook').post(path, theirs));
    await until('policies hold', async () => (await admin().post(path, KEPT_POLICY.body)).status === 403);
    await must(admin().delete(`${path}/enclave-licensing-launched`));
  });

  test('without the policies all of it goes through: nothing else refuses it', async () => {
    await server.unbind();
    for (const [policy, attempts] of Object.entries(REFUSED))
      for (const attempt of attempts)
        await until(`${policy}: ${attempt.what} goes through`, async () => {
          const answer = await send(attempt);
          if (said(answer).includes('denied request')) return false;
          if (!['connect', 'kubelets'].includes(policy))
            expect(answer.status, `${attempt.what}: ${said(answer)}`).toBeLessThan(300);
          return true;
        });
  });
}

if (isRealApiServer) describe('on kube-apiserver', onTheRealOne);
