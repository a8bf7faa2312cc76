import { expect, test } from 'vitest';
import { PODS, type Pod } from '../../platform/kube/resources.ts';
import { scriptedApiServers } from '../support/scripted-api-server.ts';

/** How a watch lists: pages, what breaks off between them, and pages that are too large to be read. */
const server = scriptedApiServers();

const pod = (name: string): Pod =>
  ({ metadata: { name, namespace: 'n', uid: name, resourceVersion: '1' } }) as Pod;

test('a list that breaks off is begun again; a page that is too large is asked for in smaller ones', async () => {
  const { kube, next } = await server();
  const over = new AbortController();
  const { signal } = over;
  const handle = kube.watch(PODS, { signal, project: ({ metadata = {} }) => ({ metadata }) });
  const asked = async () => {
    const call = await next();
    const { query } = call;
    return { call, what: [query.get('watch'), query.get('limit'), query.get('continue')] };
  };
  const page = (items: object[], more?: string) => ({
    items,
    metadata: { resourceVersion: '7', ...(more !== undefined && { continue: more }) },
  });
  const first = await asked();
  expect(first.what).toEqual([null, '500', null]);
  first.call.answer(200, page([pod('a')], 'token'));
  const second = await asked();
  expect(second.what).toEqual([null, '500', 'token']);
  second.call.answer(500, { kind: 'Status', reason: 'InternalError', message: 'no' });
  const again = await asked();
  expect(again.what).toEqual([null, '500', null]);
  again.call.answer(200, page([pod('a')], 'token'));
  const large = await asked();
  large.call.answer(200, page([{ ...pod('b'), padding: 'x'.repeat(17 * 1024 * 1024) }]));
  const smaller = await asked();
  expect(smaller.what).toEqual([null, '125', 'token']);
  smaller.call.answer(200, page([pod('b')], 'last'));
  const last = await asked();
  expect(last.what).toEqual([null, '125', 'last']);
  expect(handle.current()).toBe(false);
  last.call.answer(200, page([pod('c')]));
  await handle.synced;
  expect(handle.list().map(({ metadata }) => metadata?.name)).toEqual(['a', 'b', 'c']);
  const watch = await asked();
  expect(watch.what[0]).toBe('true');
  expect(watch.call.query.get('resourceVersion')).toBe('7');
  over.abort();
  await handle.ended;
});

test('a list has all pages, and keeps of each object what is wanted of it', async () => {
  const { kube, next } = await server();
  const listing = kube.list(PODS, { namespace: 'n', project: ({ metadata }) => metadata?.name ?? '' });
  const first = await next();
  expect([first.query.get('limit'), first.query.get('continue')]).toEqual(['500', null]);
  first.answer(200, { items: [pod('a'), pod('b')], metadata: { resourceVersion: '7', continue: 'token' } });
  const second = await next();
  expect(second.query.get('continue')).toBe('token');
  second.answer(200, { items: [pod('c')], metadata: { resourceVersion: '7' } });
  expect(await listing).toEqual({ items: ['a', 'b', 'c'], resourceVersion: '7' });
  const broken = kube.list(PODS);
  (await next()).answer(200, { items: [pod('a')], metadata: { resourceVersion: '8', continue: 'old' } });
  (await next()).answer(410, { kind: 'Status', reason: 'Expired', message: 'too old' });
  await expect(broken).rejects.toMatchObject({ status: 410 });
});
