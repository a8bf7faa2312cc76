import { afterEach, describe, expect, test } from 'vitest';
import type { WatchHandle } from '../../platform/kube/kube.ts';
import { KubeError } from '../../platform/kube/kube-error.ts';
import { PODS, type Pod } from '../../platform/kube/resources.ts';
import { reviewToken } from '../../platform/kube/token-review.ts';
import { type ScriptedApiServer, scriptedApiServer } from '../support/scripted-api-server.ts';

const servers: ScriptedApiServer[] = [];
afterEach(async () => {
  for (const each of servers.splice(0)) {
    each.kube.close();
    await each.stop();
  }
});

async function server(token?: () => string): Promise<ScriptedApiServer> {
  const made = await scriptedApiServer(token);
  servers.push(made);
  return made;
}

function pod(name: string, resourceVersion: string, uid = `uid-${name}`): Pod {
  return { metadata: { name, namespace: 'n', uid, resourceVersion } } as Pod;
}

function event(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}

describe('requests', () => {
  test('paths, selectors, patches, preconditions, and a token that rotates', async () => {
    let token = 'one';
    const { kube, next } = await server(() => token);
    const listed = kube.list(PODS, {
      namespace: 'n',
      labelSelector: 'a=b',
      fieldSelector: 'spec.nodeName=x',
    });
    const list = await next();
    expect([
      list.method,
      list.path,
      list.query.get('labelSelector'),
      list.query.get('fieldSelector'),
    ]).toEqual(['GET', '/api/v1/namespaces/n/pods', 'a=b', 'spec.nodeName=x']);
    expect(list.authorization).toBe('Bearer one');
    list.answer(200, { items: [pod('p', '1')], metadata: { resourceVersion: '9' } });
    expect((await listed).items[0]).toMatchObject({ kind: 'Pod', apiVersion: 'v1', metadata: { name: 'p' } });

    token = 'two';
    const patched = kube.patch(PODS, { name: 'p', namespace: 'n' }, { a: 1 }, 'strategic', 'status');
    const patch = await next();
    expect([patch.path, patch.contentType, patch.authorization]).toEqual([
      '/api/v1/namespaces/n/pods/p/status',
      'application/strategic-merge-patch+json',
      'Bearer two',
    ]);
    patch.answer(200, pod('p', '2'));
    await patched;

    const deleted = kube.delete(PODS, { name: 'p', namespace: 'n' }, { uid: 'u', gracePeriodSeconds: 0 });
    const remove = await next();
    expect(remove.body).toMatchObject({ preconditions: { uid: 'u' }, gracePeriodSeconds: 0 });
    remove.answer(404, { kind: 'Status', reason: 'NotFound', message: 'gone' });
    expect(await deleted).toBe(false);
  });

  test("the server's Status is the error; absence is no error; an empty name never becomes a collection", async () => {
    const { kube, next } = await server();
    const created = kube.create(PODS, pod('p', ''));
    (await next()).answer(409, {
      kind: 'Status',
      reason: 'AlreadyExists',
      message: 'pods "p" already exists',
    });
    const error = await created.catch((each: unknown) => each);
    expect(error).toBeInstanceOf(KubeError);
    expect(error).toMatchObject({ status: 409, reason: 'AlreadyExists', message: 'pods "p" already exists' });
    const got = kube.get(PODS, { name: 'p', namespace: 'n' });
    (await next()).answer(404, { kind: 'Status', reason: 'NotFound' });
    expect(await got).toBeUndefined();
    await expect(async () => kube.delete(PODS, { name: '', namespace: 'n' })).rejects.toThrow('a name');
    await expect(async () => kube.delete(PODS, { name: 'p' })).rejects.toThrow('namespace');
  });
});

describe('watch', () => {
  const record = (
    scripted: ScriptedApiServer,
    signal: AbortSignal,
  ): { seen: string[]; handle: WatchHandle<Pod> } => {
    const seen: string[] = [];
    const name = (object: Pod): string => `${object.metadata?.name}@${object.metadata?.resourceVersion}`;
    const handle = scripted.kube.watch(PODS, {
      signal,
      onAdd: (object) => seen.push(`+${name(object)}`),
      onUpdate: (object) => seen.push(`~${name(object)}`),
      onDelete: (object) => seen.push(`-${name(object)}`),
    });
    return { seen, handle };
  };

  test('lists in pages, follows, resumes from a bookmark, and lists anew on 410 of either kind', async () => {
    const scripted = await server();
    const abort = new AbortController();
    const { seen, handle } = record(scripted, abort.signal);
    const one = await scripted.next();
    one.answer(200, { items: [pod('a', '1')], metadata: { resourceVersion: '5', continue: 'more' } });
    const two = await scripted.next();
    expect(two.query.get('continue')).toBe('more');
    two.answer(200, { items: [pod('b', '2')], metadata: { resourceVersion: '5' } });
    await handle.synced;

    const first = await scripted.next();
    expect([
      first.query.get('watch'),
      first.query.get('resourceVersion'),
      first.query.get('allowWatchBookmarks'),
    ]).toEqual(['true', '5', 'true']);
    // Cut within a line and within a character.
    const text = Buffer.from(
      event('MODIFIED', { ...pod('a', '6'), note: 'ü' }) +
        event('BOOKMARK', { metadata: { resourceVersion: '8' } }),
    );
    const cut = text.indexOf('ü') + 1;
    first.response.write(text.subarray(0, cut));
    first.response.write(text.subarray(cut));
    first.response.end();

    const resumed = await scripted.next();
    expect(resumed.query.get('resourceVersion')).toBe('8');
    resumed.answer(410, {
      kind: 'Status',
      code: 410,
      reason: 'Expired',
      message: 'too old resource version',
    });
    (await scripted.next()).answer(200, { items: [pod('a', '6')], metadata: { resourceVersion: '20' } });

    const second = await scripted.next();
    expect(second.query.get('resourceVersion')).toBe('20');
    second.response.write(event('DELETED', pod('a', '21')));
    second.response.end(event('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' }));
    // Made again under its name while we were away.
    (await scripted.next()).answer(200, {
      items: [pod('a', '30', 'other')],
      metadata: { resourceVersion: '31' },
    });
    const last = await scripted.next();
    expect(last.query.get('resourceVersion')).toBe('31');
    abort.abort();
    await handle.ended;
    expect(seen).toEqual(['+a@1', '+b@2', '~a@6', '-b@2', '-a@21', '+a@30']);
    expect(handle.get({ name: 'a', namespace: 'n' })?.metadata?.uid).toBe('other');
  });

  test('an API server that goes away and comes back is followed from where it was', async () => {
    const scripted = await server();
    const abort = new AbortController();
    const { seen, handle } = record(scripted, abort.signal);
    (await scripted.next()).answer(200, { items: [], metadata: { resourceVersion: '5' } });
    const first = await scripted.next();
    first.response.write(event('ADDED', pod('a', '6')));
    await expect.poll(() => seen).toEqual(['+a@6']);
    await scripted.stop();
    await expect.poll(() => handle.current()).toBe(false);
    expect(handle.list()).toHaveLength(1);
    await scripted.start();
    const again = await scripted.next();
    expect(again.query.get('resourceVersion')).toBe('6');
    again.response.write(event('MODIFIED', pod('a', '7')));
    await expect.poll(() => seen).toEqual(['+a@6', '~a@7']);
    expect(handle.current()).toBe(true);
    abort.abort();
    await handle.ended;
  });
});

describe('tokens', () => {
  test.each([
    ['good', { authenticated: true, audiences: ['mine'] }, true],
    ['not authenticated', { authenticated: false, audiences: ['mine'] }, false],
    ['another audience', { authenticated: true, audiences: ['theirs'] }, false],
    ['a server that knows no audiences', { authenticated: true }, false],
  ])('%s', async (_name, status, good) => {
    const { kube, next } = await server();
    const reviewed = reviewToken(kube, 'token', 'mine');
    const call = await next();
    expect(call.body).toMatchObject({ spec: { token: 'token', audiences: ['mine'] } });
    const extra = {
      'authentication.kubernetes.io/pod-uid': ['u1'],
      'authentication.kubernetes.io/node-name': ['a', 'b'],
    };
    call.answer(201, { status: { ...status, user: { username: 'system:serviceaccount:n:s', extra } } });
    // Two node names are no node name.
    expect(await reviewed).toEqual(
      good ? { username: 'system:serviceaccount:n:s', uid: '', groups: [], podUid: 'u1' } : undefined,
    );
  });
});
