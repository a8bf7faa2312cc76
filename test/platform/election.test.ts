import { expect, test } from 'vitest';
import { elect } from '../../platform/kube/election.ts';
import { CONFIG_MAPS } from '../../platform/kube/resources.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import { scriptedApiServers } from '../support/scripted-api-server.ts';

const server = scriptedApiServers();

test('waits while another holds the lease, leads when it is over, gives it back', async () => {
  const { kube, next } = await server();
  const abort = new AbortController();
  const leading = Promise.withResolvers<void>();
  const done = elect(
    {
      kube,
      name: 'l',
      namespace: 'n',
      identity: 'me',
      signal: abort.signal,
      log: silentLogger,
      leaseMs: 2_000,
    },
    async ({ signal }) => {
      leading.resolve();
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    },
  );
  const lease = (holder: string, version: string) => ({
    metadata: { name: 'l', namespace: 'n', resourceVersion: version },
    spec: { holderIdentity: holder, leaseDurationSeconds: 1, leaseTransitions: 3 },
  });
  let writes = 0;
  const serve = (async () => {
    for (;;) {
      const call = await next();
      if (call.method === 'GET')
        call.answer(200, writes === 0 ? lease('other', '1') : lease('me', String(writes)));
      else {
        writes += 1;
        if (writes === 1)
          expect(call.body).toMatchObject({
            spec: { holderIdentity: 'me', leaseTransitions: 4 },
            metadata: { resourceVersion: '1' },
          });
        call.answer(200, {
          ...(call.body as object),
          metadata: { name: 'l', namespace: 'n', resourceVersion: String(writes) },
        });
        if ((call.body as { spec: { holderIdentity: string } }).spec.holderIdentity === '') return;
      }
    }
  })();
  await leading.promise;
  expect(writes).toBe(1);
  abort.abort();
  await Promise.all([done, serve]);
});

test.each([0, 1])(
  'after %i renewals one is never answered, and ends the term before a successor may begin',
  async (renewals) => {
    const { kube, next } = await server();
    const leaseMs = 4_000;
    const abort = new AbortController();
    const { signal } = abort;
    const lost = Promise.withResolvers<number>();
    const options = {
      kube,
      name: 'l',
      namespace: 'n',
      identity: 'me',
      signal,
      log: silentLogger,
      leaseMs,
    };
    let begun = 0;
    const done = elect(options, async ({ signal: term }) => {
      begun = performance.now();
      await new Promise<void>((resolve) => term.addEventListener('abort', () => resolve(), { once: true }));
      lost.resolve(performance.now() - begun);
    });
    const metadata = { name: 'l', namespace: 'n', resourceVersion: '1' };
    (await next()).answer(404, { kind: 'Status', reason: 'NotFound', message: 'none' });
    (await next()).answer(201, {
      metadata,
      spec: { holderIdentity: 'me', leaseDurationSeconds: leaseMs / 1000 },
    });
    const spec = { holderIdentity: 'me', leaseDurationSeconds: leaseMs / 1000 };
    for (let i = 0; i < renewals; i += 1) {
      const asked = await next();
      begun = performance.now();
      asked.answer(200, { metadata, spec });
      (await next()).answer(200, { metadata, spec });
    }
    // The next question is heard, and nothing more is said.
    await next();
    expect(await lost.promise).toBeLessThan(leaseMs);
    abort.abort();
    await done;
  },
);

test('a renewal that finds the lease another’s ends the term at once', async () => {
  const { kube, next } = await server();
  const abort = new AbortController();
  const { signal } = abort;
  const options = { kube, name: 'l', namespace: 'n', identity: 'me', signal, log: silentLogger };
  let over = false;
  const done = elect({ ...options, leaseMs: 3_000 }, async ({ signal: term }) => {
    await new Promise<void>((resolve) => term.addEventListener('abort', () => resolve(), { once: true }));
    over = true;
  });
  const lease = (holderIdentity: string, resourceVersion: string) => ({
    metadata: { name: 'l', namespace: 'n', resourceVersion },
    spec: { holderIdentity, leaseDurationSeconds: 3 },
  });
  (await next()).answer(404, { kind: 'Status', reason: 'NotFound', message: 'none' });
  (await next()).answer(201, lease('me', '1'));
  (await next()).answer(200, lease('other', '2'));
  // What it asks for next is to give back what it no longer has.
  const last = await next();
  expect(over).toBe(true);
  abort.abort();
  last.answer(200, lease('other', '2'));
  await done;
});

test('a leader whose machine slept for longer than its lease does nothing more, though no timer has run', async () => {
  const { kube, next } = await server();
  const abort = new AbortController();
  const { signal } = abort;
  let slept = 0;
  const clock = { now: () => Date.now() + slept };
  const leaseMs = 60_000;
  const options = { kube, name: 'l', namespace: 'n', identity: 'me', signal, log: silentLogger, clock };
  const awake = Promise.withResolvers<void>();
  const done = elect({ ...options, leaseMs }, async (term) => {
    const fenced = term.kube;
    const map = { metadata: { name: 'm', namespace: 'n' } };
    const write = () => fenced.create(CONFIG_MAPS, map);
    await write();
    expect(term.holds()).toBe(true);
    slept = leaseMs;
    expect(term.holds()).toBe(false);
    expect(term.signal.aborted).toBe(false);
    await expect(write()).rejects.toThrow('another replica may lead');
    await expect(fenced.replace(CONFIG_MAPS, map)).rejects.toThrow('another replica may lead');
    await expect(fenced.patch(CONFIG_MAPS, map.metadata, {})).rejects.toThrow('another replica may lead');
    await expect(fenced.delete(CONFIG_MAPS, map.metadata)).rejects.toThrow('another replica may lead');
    await expect(fenced.createSubresource(CONFIG_MAPS, map.metadata, 'token', {})).rejects.toThrow(
      'may lead',
    );
    // Back by an hour: what was over stays over.
    slept = -3_600_000;
    expect(term.holds()).toBe(false);
    awake.resolve();
  });
  const spec = { holderIdentity: 'me', leaseDurationSeconds: 60 };
  const lease = { metadata: { name: 'l', namespace: 'n', resourceVersion: '1' }, spec };
  (await next()).answer(404, { kind: 'Status', reason: 'NotFound', message: 'none' });
  (await next()).answer(201, lease);
  const written = await next();
  expect(written.path).toBe('/api/v1/namespaces/n/configmaps');
  written.answer(201, written.body);
  await awake.promise;
  abort.abort();
  // Nothing was written in between: what comes next is the lease, given back.
  const given = await next();
  expect(given.path).toMatch(/leases\/l$/);
  given.answer(200, lease);
  (await next()).answer(200, lease);
  await done;
});
