import { beforeAll, expect, test } from 'vitest';
import { type ApiAnswer, makeNamespace, unique } from './api-client.ts';
import type { Subject } from './api-server.ts';

/** Storage, errors, patches, lists and watches. */
export function objectContract(subject: Subject): void {
  let namespace: string;
  let maps: string;
  beforeAll(async () => {
    namespace = await makeNamespace(subject.admin);
    maps = `/api/v1/namespaces/${namespace}/configmaps`;
  });
  const make = (name: string, more: object = {}): Promise<ApiAnswer> =>
    subject.admin.post(maps, { metadata: { name }, data: { a: '1' }, ...more });
  const failure = ({ status, body }: ApiAnswer) => ({
    status,
    reason: body['reason'],
    message: body['message'],
  });

  test('an object is created once, read, and gone when deleted', async () => {
    const created = await make('one');
    expect(created).toMatchObject({
      status: 201,
      body: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'one', namespace }, data: { a: '1' } },
    });
    expect((await subject.admin.get(`${maps}/one`)).body['metadata']?.['uid']).toBe(
      created.body['metadata']?.['uid'],
    );
    expect(failure(await make('one'))).toEqual({
      status: 409,
      reason: 'AlreadyExists',
      message: 'configmaps "one" already exists',
    });
    expect(await subject.admin.delete(`${maps}/one`)).toMatchObject({
      status: 200,
      body: { kind: 'Status', status: 'Success', details: { name: 'one', kind: 'configmaps' } },
    });
    expect(await subject.admin.get(`${maps}/one`)).toMatchObject({
      status: 404,
      body: {
        reason: 'NotFound',
        message: 'configmaps "one" not found',
        details: { name: 'one', kind: 'configmaps' },
        code: 404,
      },
    });
  });

  test('wrong input is refused with its reason', async () => {
    expect(failure(await make('Upper'))).toMatchObject({ status: 422, reason: 'Invalid' });
    expect((await make('Upper')).body['message']).toMatch(
      /^ConfigMap "Upper" is invalid: metadata.name: Invalid value: "Upper": a lowercase RFC 1123 subdomain must/,
    );
    expect(await subject.admin.post(maps, { metadata: { name: 'x' }, data: { a: 1 } })).toMatchObject({
      status: 400,
      body: { reason: 'BadRequest' },
    });
    expect(
      await subject.admin.post(maps, { kind: 'Secret', apiVersion: 'v1', metadata: { name: 'x' } }),
    ).toMatchObject({ status: 400 });
    expect(await subject.admin.post(maps, { metadata: { name: 'x', namespace: 'elsewhere' } })).toMatchObject(
      { status: 400 },
    );
    expect(
      failure(await subject.admin.post('/api/v1/namespaces/nowhere/configmaps', { metadata: { name: 'x' } })),
    ).toEqual({
      status: 404,
      reason: 'NotFound',
      message: 'namespaces "nowhere" not found',
    });
    expect((await subject.admin.get('/api/v1/namespaces/default/nothing')).status).toBe(404);
    expect((await subject.admin.put(`${maps}`, {})).status).toBe(405);
    expect((await subject.admin.post(`${maps}/named`, {})).status).toBe(405);
    const typo = await subject.admin.post(`${maps}?fieldValidation=Strict`, {
      metadata: { name: 'x' },
      dta: {},
    });
    expect(typo.status).toBe(400);
    expect(typo.body['message']).toContain('strict decoding error: unknown field "dta"');
    const warned = await subject.admin.post(`${maps}?dryRun=All`, { metadata: { name: 'dry' }, dta: {} });
    expect(warned.headers['warning']).toContain('unknown field \\"dta\\"');
    expect((await subject.admin.get(`${maps}/dry`)).status).toBe(404);
  });

  test('an update names the version it is of; one that changes nothing makes no version', async () => {
    const { body } = await make('versions');
    const first = body['metadata']?.['resourceVersion'];
    const same = await subject.admin.put(`${maps}/versions`, body);
    expect(same.body['metadata']?.['resourceVersion']).toBe(first);
    const changed = await subject.admin.put(`${maps}/versions`, { ...body, data: { a: '2' } });
    expect(Number(changed.body['metadata']?.['resourceVersion'])).toBeGreaterThan(Number(first));
    expect(failure(await subject.admin.put(`${maps}/versions`, { ...body, data: { a: '3' } }))).toEqual({
      status: 409,
      reason: 'Conflict',
      message:
        'Operation cannot be fulfilled on configmaps "versions": the object has been modified; please apply your changes to the latest version and try again',
    });
    expect(
      await subject.admin.patch(`${maps}/versions`, 'merge', {
        metadata: { resourceVersion: first },
        data: { a: '4' },
      }),
    ).toMatchObject({ status: 409 });
    const lease = {
      metadata: { name: 'lease' },
      spec: { holderIdentity: 'me', renewTime: '2026-01-01T00:00:00.000000Z' },
    };
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
    expect((await subject.admin.post(leases, lease)).status).toBe(201);
    expect(failure(await subject.admin.put(`${leases}/lease`, lease))).toMatchObject({
      status: 422,
      reason: 'Invalid',
    });
  });

  test('generateName makes a name; a deletion may insist on UID; finalizers hold it back', async () => {
    const { body } = await subject.admin.post(maps, { metadata: { generateName: 'made-' } });
    expect(body['metadata']?.['name']).toMatch(/^made-[a-z0-9]{5}$/);
    expect(
      await subject.admin.delete(`${maps}/${body['metadata']?.['name']}`, {
        preconditions: { uid: 'other' },
      }),
    ).toMatchObject({ status: 409, body: { reason: 'Conflict' } });
    await make('held', { metadata: { name: 'held', finalizers: ['example.com/hold'] } });
    const going = await subject.admin.delete(`${maps}/held`);
    expect(going.body['metadata']?.['deletionTimestamp']).toBeDefined();
    expect((await subject.admin.get(`${maps}/held`)).status).toBe(200);
    await subject.admin.patch(`${maps}/held`, 'json', [{ op: 'remove', path: '/metadata/finalizers' }]);
    expect((await subject.admin.get(`${maps}/held`)).status).toBe(404);
  });

  test('three forms of patch', async () => {
    await make('patched', { data: { a: '1', b: '2' } });
    const path = `${maps}/patched`;
    const merged = await subject.admin.patch(path, 'merge', { data: { a: null, c: '3' } });
    expect(merged.body['data']).toEqual({ b: '2', c: '3' });
    const patched = await subject.admin.patch(path, 'json', [
      { op: 'test', path: '/data/b', value: '2' },
      { op: 'replace', path: '/data/b', value: '4' },
    ]);
    expect(patched.body['data']).toEqual({ b: '4', c: '3' });
    expect(
      (await subject.admin.patch(path, 'json', [{ op: 'test', path: '/data/b', value: '2' }])).status,
    ).toBe(422);
    const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    await subject.admin.post(accounts, {
      metadata: { name: 'merge' },
      secrets: [{ name: 'a' }, { name: 'b' }],
    });
    const strategic = await subject.admin.patch(`${accounts}/merge`, 'strategic-merge', {
      secrets: [{ $patch: 'delete', name: 'a' }, { name: 'c' }],
    });
    expect(strategic.body['secrets']).toEqual([{ name: 'c' }, { name: 'b' }]);
  });

  test('lists select by label and field, in pages', async () => {
    const label = unique('list');
    for (const [name, more] of [
      ['l1', { x: '1' }],
      ['l2', { x: '2' }],
      ['l3', {}],
    ] as const)
      await make(name, { metadata: { name, labels: { of: label, ...more } } });
    const named = async (query: string): Promise<unknown[]> =>
      Array.from(
        (await subject.admin.get(`${maps}?${query}`)).body['items'] as unknown as {
          metadata: { name: string };
        }[],
        (each) => each.metadata.name,
      );
    const select = (selector: string): Promise<unknown[]> =>
      named(`labelSelector=${encodeURIComponent(selector)}`);
    expect(await select(`of=${label}`)).toEqual(['l1', 'l2', 'l3']);
    expect(await select(`of=${label},x`)).toEqual(['l1', 'l2']);
    expect(await select(`of=${label},!x`)).toEqual(['l3']);
    expect(await select(`of=${label},x in (2,3)`)).toEqual(['l2']);
    expect(await select(`of=${label},x notin (2)`)).toEqual(['l1', 'l3']);
    expect(await select(`of=${label},x!=1`)).toEqual(['l2', 'l3']);
    expect(await named('fieldSelector=metadata.name%3Dl2')).toEqual(['l2']);
    expect((await subject.admin.get(`${maps}?fieldSelector=data.a%3D1`)).status).toBe(400);
    const query = `labelSelector=of%3D${label}&limit=2`;
    const page = await subject.admin.get(`${maps}?${query}`);
    expect(page.body).toMatchObject({ kind: 'ConfigMapList', apiVersion: 'v1', items: { length: 2 } });
    const rest = await subject.admin.get(`${maps}?${query}&continue=${page.body['metadata']?.['continue']}`);
    expect(rest.body).toMatchObject({ items: [{ metadata: { name: 'l3' } }] });
    expect(rest.body['metadata']?.['continue']).toBeUndefined();
  });

  test('a watch resumes after a version and follows its selector', async () => {
    const { body } = await make('w0', { metadata: { name: 'w0', labels: { watched: 'yes' } } });
    const from = body['metadata']?.['resourceVersion'];
    await subject.admin.patch(`${maps}/w0`, 'merge', { data: { a: '2' } });
    const watching = await subject.admin.watch(
      `${maps}?watch=true&resourceVersion=${from}&labelSelector=watched%3Dyes`,
    );
    await subject.admin.patch(`${maps}/w0`, 'merge', { metadata: { labels: { watched: null } } });
    await subject.admin.patch(`${maps}/w0`, 'merge', { metadata: { labels: { watched: 'yes' } } });
    await subject.admin.delete(`${maps}/w0`);
    const events = await watching.take(4);
    watching.close();
    expect(events.map((event) => event.type)).toEqual(['MODIFIED', 'DELETED', 'ADDED', 'DELETED']);
    const versions = events.map((event) => Number(event.object['metadata']?.['resourceVersion']));
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
  });

  test('a watch without a version begins with what is there, and says where the beginning ends', async () => {
    await make('begin', { metadata: { name: 'begin', labels: { begins: 'yes' } } });
    const query =
      'watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan';
    const watching = await subject.admin.watch(`${maps}?${query}&labelSelector=begins%3Dyes`);
    const [added, bookmark] = await watching.take(2);
    watching.close();
    expect(added).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'begin' } } });
    expect(bookmark).toMatchObject({
      type: 'BOOKMARK',
      object: { kind: 'ConfigMap', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    });
  });
}
