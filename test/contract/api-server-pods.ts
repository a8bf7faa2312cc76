import { beforeAll, expect, test } from 'vitest';
import { type ApiAnswer, makeNamespace } from './api-client.ts';
import type { Subject } from './api-server.ts';
import { STORED_POD_SPEC, WRITTEN_POD_SPEC } from './stored-pod.ts';

/** The form that pods are stored in (the product hashes it), binding, deletion, and what may not change. */
export function podContract(subject: Subject): void {
  let namespace: string;
  let pods: string;
  beforeAll(async () => {
    namespace = await makeNamespace(subject.admin);
    pods = `/api/v1/namespaces/${namespace}/pods`;
    await subject.admin.post('/api/v1/nodes', { metadata: { name: 'contract-node' } });
  });
  const make = (name: string, spec: object = {}): Promise<ApiAnswer> =>
    subject.admin.post(pods, {
      metadata: { name },
      spec: { containers: [{ name: 'app', image: 'app' }], automountServiceAccountToken: false, ...spec },
    });
  const bind = (name: string): Promise<ApiAnswer> =>
    subject.admin.post(`${pods}/${name}/binding`, {
      metadata: { name },
      target: { apiVersion: 'v1', kind: 'Node', name: 'contract-node' },
    });

  test('a pod is stored with its defaults, empty fields left out, quantities in their canonical form', async () => {
    const { status, body } = await make('stored', WRITTEN_POD_SPEC);
    expect(status).toBe(201);
    const spec = JSON.parse(
      JSON.stringify(body['spec']).replaceAll(/kube-api-access-[a-z0-9]{5}/g, 'kube-api-access-x'),
    );
    expect(spec).toEqual(STORED_POD_SPEC);
    expect(body['status']).toEqual({ phase: 'Pending', qosClass: 'Burstable' });
    expect(body['metadata']?.['generation']).toBe(1);
  });

  test('a pod needs containers, volumes that are there, and its service account', async () => {
    const wrong = await make('wrong', {
      containers: [{ name: 'a', image: 'a', volumeMounts: [{ name: 'no', mountPath: '/x' }] }, { name: 'a' }],
    });
    expect(wrong).toMatchObject({
      status: 422,
      body: { reason: 'Invalid', details: { kind: 'Pod', name: 'wrong' } },
    });
    const causes = (wrong.body['details']?.['causes'] ?? []) as unknown as {
      field: string;
      reason: string;
    }[];
    expect(causes.map(({ field, reason }) => `${field} ${reason}`)).toEqual(
      expect.arrayContaining([
        'spec.containers[0].volumeMounts[0].name FieldValueNotFound',
        'spec.containers[1].image FieldValueRequired',
        'spec.containers[1].name FieldValueDuplicate',
      ]),
    );
    const stranger = await make('stranger', { serviceAccountName: 'stranger' });
    expect(stranger).toMatchObject({ status: 403, body: { reason: 'Forbidden' } });
    expect(stranger.body['message']).toContain(
      `pods "stranger" is forbidden: error looking up service account ${namespace}/stranger`,
    );
  });

  test('a pod is bound once; its spec stands, its image and status may change', async () => {
    await make('bound');
    expect(await bind('bound')).toMatchObject({ status: 201, body: { kind: 'Status', status: 'Success' } });
    expect(await bind('bound')).toMatchObject({ status: 409, body: { reason: 'Conflict' } });
    const { body } = await subject.admin.get(`${pods}/bound`);
    expect(body).toMatchObject({
      spec: { nodeName: 'contract-node' },
      status: { conditions: [{ type: 'PodScheduled', status: 'True' }] },
    });
    const moved = await subject.admin.patch(`${pods}/bound`, 'merge', { spec: { hostNetwork: true } });
    expect(moved).toMatchObject({ status: 422, body: { reason: 'Invalid' } });
    expect(moved.body['message']).toContain('spec: Forbidden: pod updates may not change fields other than');
    const image = await subject.admin.patch(`${pods}/bound`, 'strategic-merge', {
      spec: { containers: [{ name: 'app', image: 'other' }] },
    });
    expect(image).toMatchObject({
      status: 200,
      body: { spec: { containers: [{ image: 'other' }] }, metadata: { generation: 2 } },
    });
    const ready = { type: 'Ready', status: 'True' };
    const status = await subject.admin.patch(`${pods}/bound/status`, 'strategic-merge', {
      spec: { hostNetwork: true },
      status: { phase: 'Running', podIP: '127.1.2.3', conditions: [ready] },
    });
    expect(status).toMatchObject({ status: 200, body: { status: { phase: 'Running', podIP: '127.1.2.3' } } });
    expect(status.body['spec']?.['hostNetwork']).toBeUndefined();
    const conditions = status.body['status']?.['conditions'] as unknown as { type: string }[];
    expect(conditions.map(({ type }) => type).sort()).toEqual(['PodScheduled', 'Ready']);
    const main = await subject.admin.patch(`${pods}/bound`, 'merge', { status: { phase: 'Failed' } });
    expect(main.body['status']?.['phase']).toBe('Running');
  });

  test('a pod that runs is given its grace; one that nobody runs is gone at once', async () => {
    await make('going', { terminationGracePeriodSeconds: 7 });
    await bind('going');
    const going = await subject.admin.delete(`${pods}/going`);
    expect(going).toMatchObject({
      status: 200,
      body: { kind: 'Pod', metadata: { deletionGracePeriodSeconds: 7 } },
    });
    expect((await subject.admin.get(`${pods}/going`)).body['metadata']?.['deletionTimestamp']).toBeDefined();
    const uid = going.body['metadata']?.['uid'];
    expect(
      (await subject.admin.delete(`${pods}/going`, { gracePeriodSeconds: 0, preconditions: { uid } })).status,
    ).toBe(200);
    expect((await subject.admin.get(`${pods}/going`)).status).toBe(404);
    await make('unbound');
    expect(await subject.admin.delete(`${pods}/unbound`)).toMatchObject({
      status: 200,
      body: { kind: 'Pod' },
    });
    expect((await subject.admin.get(`${pods}/unbound`)).status).toBe(404);
  });
}
