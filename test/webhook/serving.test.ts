import { createHook } from 'node:async_hooks';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { encodePem } from '../../formats/x509/pem.ts';
import type { Credential } from '../../platform/identity/credential.ts';
import { enclavePod } from '../injection/support.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { until } from '../support/until.ts';
import { agentOf, authority, NAME, reviewOf, serve } from './serving-fixture.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

async function start(options: Parameters<typeof serve>[0] = {}) {
  const served = await serve(options);
  undo.push(() => served.app.close());
  return served;
}

describe('the certificate', () => {
  test('changes several times, its issuing root too, and no request fails', async () => {
    const { port, call, identity, troubles } = await start();
    const other = createTestAuthority('the next root');
    const bundle = [authority.root, other.root];
    const kept = Array.from({ length: 8 }, () =>
      agentOf(bundle, undefined, { keepAlive: true, maxSockets: 1 }),
    );
    const fresh = agentOf(bundle);
    undo.push(() => kept.map((each) => each.destroy()));
    const outcomes: (number | string)[] = [];
    let changing = true;
    const keepCalling = async (agent: typeof fresh) => {
      while (changing) outcomes.push(await call({ agent }).then(({ status }) => status, String));
    };
    const load = [...kept, fresh, fresh, fresh, fresh].map(keepCalling);
    const serials = new Set<string>();
    for (let i = 0; i < 8; i += 1) {
      identity.set((i % 2 === 0 ? other : authority).issue({ dns: [NAME] }));
      const enough = outcomes.length + 60;
      await until('more requests', async () => outcomes.length >= enough);
      const socket = connect({
        host: '127.0.0.1',
        port,
        ca: bundle.map((der) => encodePem('CERTIFICATE', der)),
        servername: NAME,
      });
      await once(socket, 'secureConnect');
      serials.add(socket.getPeerX509Certificate()?.serialNumber ?? '');
      socket.destroy();
    }
    changing = false;
    await Promise.all(load);
    expect(serials.size).toBe(8);
    expect(outcomes.length).toBeGreaterThan(480);
    expect(outcomes.filter((outcome) => outcome !== 200)).toEqual([]);
    expect(troubles).toEqual([]);
  });

  test('that cannot be used leaves the one that is', async () => {
    const { call, identity, troubles } = await start();
    const good = authority.issue({ dns: [NAME] });
    identity.set({ ...good, chain: [new Uint8Array(3)] } as Credential);
    expect(troubles).toHaveLength(1);
    expect((await call()).status).toBe(200);
  });
});

test('a review asks nobody: no connection, no lookup, no file, no process', async () => {
  const { call } = await start();
  const agent = agentOf(undefined, undefined, { keepAlive: true, maxSockets: 1 });
  undo.push(() => agent.destroy());
  await call({ agent });
  const seen: string[] = [];
  const hook = createHook({ init: (_id, type) => seen.push(type) }).enable();
  undo.push(() => hook.disable());
  for (let i = 0; i < 50; i += 1)
    for (const path of ['/mutate', '/validate']) expect((await call({ agent, path })).status).toBe(200);
  hook.disable();
  expect(seen.length).toBeGreaterThan(0);
  const outgoing = /CONNECT|TCPWRAP|PIPE|UDP|DNS|GETADDRINFO|GETNAMEINFO|QUERY|FS|FILE|PROCESS|WORKER/;
  expect([...new Set(seen)].filter((type) => outgoing.test(type))).toEqual([]);
  // The hook does see them: the same call on a new connection.
  hook.enable();
  await call();
  hook.disable();
  expect(seen.some((type) => outgoing.test(type))).toBe(true);
});

test('a drain goes on serving, and sends callers elsewhere', async () => {
  const stop = new AbortController();
  const { call, app } = await start({ draining: stop.signal });
  const agent = agentOf(undefined, undefined, { keepAlive: true, maxSockets: 1 });
  undo.push(() => agent.destroy());
  expect((await call({ agent })).headers['connection']).toBe('keep-alive');
  stop.abort();
  expect(await call({ agent })).toMatchObject({ status: 200, headers: { connection: 'close' } });
  // What is under way when the port closes is answered.
  const began = once(app.server, 'request');
  const late = call({ body: reviewOf(enclavePod({ large: 'x'.repeat(2_000_000) })) });
  await began;
  await app.close();
  expect((await late).status).toBe(200);
  await expect(call()).rejects.toThrow();
});

test('connections that ask for nothing do not hold up the end', async () => {
  const { app, port } = await start();
  const ca = encodePem('CERTIFICATE', authority.root);
  const silent = connect({ host: '127.0.0.1', port, ca, servername: NAME });
  const handshaking = connectTcp(port, '127.0.0.1');
  undo.push(() => [silent, handshaking].map((each) => each.on('error', () => undefined).destroy()));
  await Promise.all([once(silent, 'secureConnect'), once(handshaking, 'connect')]);
  const ended = Promise.all(
    [silent, handshaking].map((each) => new Promise((resolve) => each.once('close', resolve))),
  );
  await app.close();
  await ended;
});
