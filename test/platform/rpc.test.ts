import { afterEach, describe, expect, test } from 'vitest';
import type { RpcCall } from '../../platform/rpc/rpc-call.ts';
import { RpcError, RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import { liveValue } from '../../platform/run/live.ts';
import { componentPeer } from '../../platform/tls/component-peer.ts';
import type { LaunchResponse } from '../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { freePorts } from '../../tools/cluster/free-ports.ts';
import { authority, NAME, serveRpc as serve, stranger, undoAll } from '../support/rpc-fixture.ts';

afterEach(undoAll);

describe('callers', () => {
  test('one port takes a client certificate and, from others, a bearer token', async () => {
    const seen: RpcCall[] = [];
    const { client } = await serve({
      signUp: async (_request, call) => {
        seen.push(call);
        return {};
      },
    });
    const own = liveValue(authority.issue({ dns: ['agent.node-1.enclave-licensing.internal'] }));
    await client({ credential: own, localAddress: '127.0.0.53' }).signUp(
      { user: 'a', password: 'b' },
      { requestId: 'request-0001' },
    );
    await client().signUp({ user: 'a', password: 'b' }, { token: 'token-1' });
    expect(componentPeer(seen[0]?.peer.certificate)).toMatchObject({
      ok: true,
      value: { component: 'agent', node: 'node-1' },
    });
    expect(seen[0]?.requestId).toBe('request-0001');
    expect(seen.map(({ peer }) => peer.address)).toEqual(['127.0.0.53', '127.0.0.1']);
    expect(seen[1]?.peer.certificate).toBeUndefined();
    expect(seen[1]?.bearerToken).toBe('token-1');
  });

  test("a stranger's certificate is no certificate, and where one is required no connection", async () => {
    const foreign = { credential: liveValue(stranger.issue({ dns: [NAME] })) };
    let certificate: unknown = 'unset';
    const open = await serve({
      signUp: async (_request, call) => {
        certificate = call.peer.certificate;
        return {};
      },
    });
    await open.client(foreign).signUp({ user: 'a', password: 'b' });
    expect(certificate).toBeUndefined();
    const closed = await serve({}, 'required');
    await expect(closed.client(foreign).signUp({ user: 'a', password: 'b' })).rejects.toMatchObject({
      status: 'UNAVAILABLE',
    });
    await expect(closed.client().signUp({ user: 'a', password: 'b' })).rejects.toMatchObject({
      status: 'UNAVAILABLE',
    });
  });

  test('a server with another name, root or role is not spoken to', async () => {
    let called = 0;
    const { client } = await serve({
      signUp: async () => {
        called += 1;
        return {};
      },
    });
    for (const wrong of [
      { serverName: 'launcher.enclave-licensing.internal' },
      { roots: liveValue([stranger.root]) },
      { judgeServer: () => 'not a component' },
    ])
      await expect(client(wrong).signUp({ user: 'a', password: 'b' })).rejects.toMatchObject({
        status: 'UNAVAILABLE',
      });
    expect(called).toBe(0);
    expect(() => client({ roots: liveValue([]) })).toThrow('empty trust set');
  });
});

describe('answers', () => {
  test('a refusal arrives as it was made', async () => {
    const { client } = await serve({
      signUp: async () => {
        throw new RpcRefusal(
          'INVALID_ARGUMENT',
          { code: 'bad-user', message: 'the user name is too long', remedy: 'take a shorter one' },
          { fields: [{ field: 'user', description: 'at most 63' }], retryAfterMs: 1500 },
        );
      },
    });
    const error = await client()
      .signUp({ user: 'a', password: 'b' })
      .catch((each: unknown) => each);
    expect(error).toBeInstanceOf(RpcRefusal);
    expect(error).toMatchObject({
      status: 'INVALID_ARGUMENT',
      code: 'bad-user',
      message: 'the user name is too long',
      remedy: 'take a shorter one',
      details: { fields: [{ field: 'user', description: 'at most 63' }], retryAfterMs: 1500 },
    });
  });

  test('whatever a handler throws, the process goes on and nothing of it leaks but the request id', async () => {
    const { client, lines } = await serve({
      // Not async: throws before there is a promise.
      signUp: () => {
        throw new Error('secret table names');
      },
      launch: () => {
        throw new Error('secret table names');
      },
      login: async () => Promise.reject('not even an error'),
    });
    const calls = client();
    for (const call of [
      () => calls.signUp({ user: 'a', password: 'hunter22' }, { requestId: 'request-0002' }),
      () => calls.login({ user: 'a', password: 'hunter22' }),
      () => collect(calls.launch(launchRequest())),
    ]) {
      const error = await call().catch((each: unknown) => each);
      expect(error).toBeInstanceOf(RpcError);
      expect(error).toMatchObject({ status: 'INTERNAL' });
      expect(String(error)).not.toContain('table');
    }
    expect(lines.join('')).toContain('request-0002');
    expect(lines.join('')).not.toContain('hunter22');
  });

  test('a message over the limit is refused', async () => {
    const { client } = await serve({ signUp: async () => ({}) });
    await expect(client().signUp({ user: 'a', password: 'x'.repeat(70_000) })).rejects.toMatchObject({
      status: 'RESOURCE_EXHAUSTED',
    });
  });

  test('deadline and cancellation reach the handler', async () => {
    let [begun, ended] = [0, 0];
    const { client } = await serve({
      signUp: (_request, { signal }) => {
        begun += 1;
        signal.addEventListener('abort', () => (ended += 1), { once: true });
        return new Promise(() => undefined);
      },
    });
    const call = client();
    const user = { user: 'a', password: 'b' };
    // Longer and longer, for a call whose deadline is over on its way never reaches the handler.
    for (let timeoutMs = 100; begun === 0; timeoutMs *= 2)
      await expect(call.signUp(user, { timeoutMs })).rejects.toMatchObject({ status: 'DEADLINE_EXCEEDED' });
    await expect.poll(() => ended).toBe(begun);
  });
});

test('a server that goes away and comes back is found again, by address and by name', async () => {
  const handlers = { signUp: async () => ({}) };
  const [port = 0] = await freePorts(1);
  const first = await serve(handlers, 'requested', port);
  const clients = [first.client(), first.client({ address: { host: 'localhost', port } })];
  const call = (each: (typeof clients)[number]) =>
    each.signUp({ user: 'a', password: 'b' }).then(
      () => 'OK',
      ({ status }: RpcError) => status,
    );
  for (const each of clients) expect(await call(each)).toBe('OK');
  await first.server.close(0);
  for (const each of clients) expect(await call(each)).toBe('UNAVAILABLE');
  await serve(handlers, 'requested', port);
  for (const each of clients) await expect.poll(() => call(each)).toBe('OK');
});

describe('renewal', () => {
  test('a stream under way outlives a renewal, and a set of the same roots makes no new connection', async () => {
    const connections = new Set<number>();
    const { client, clientOptions } = await serve({
      launch: async function* (_request, { signal }) {
        for (let i = 1; !signal.aborted; i += 1) {
          yield progress(i);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      },
      signUp: async () => ({}),
    });
    const roots = clientOptions.roots;
    const judged = { judgeServer: () => void connections.add(connections.size) };
    const credential = liveValue(authority.issue({}));
    const calls = client({ ...judged, credential });
    const stream = calls.launch(launchRequest())[Symbol.asyncIterator]();
    await stream.next();
    roots.set([...roots.current()]);
    await calls.signUp({ user: 'a', password: 'b' });
    expect(connections.size).toBe(1);
    credential.set(authority.issue({}));
    await calls.signUp({ user: 'a', password: 'b' });
    expect(connections.size).toBe(2);
    for (let i = 0; i < 3; i += 1) expect((await stream.next()).done).toBe(false);
    await stream.return?.();
  });

  test('new connections see the new certificate, on both sides', async () => {
    const seen: (string | undefined)[] = [];
    const { client, tls } = await serve({
      signUp: async (_request, call) => {
        seen.push(call.peer.certificate && Buffer.from(call.peer.certificate).toString('hex'));
        return {};
      },
    });
    const servers: string[] = [];
    const [first, second] = [authority.issue({}), authority.issue({})];
    const credential = liveValue(first);
    const calls = client({
      credential,
      judgeServer: (der: Uint8Array) => void servers.push(Buffer.from(der).toString('hex')),
    });
    await calls.signUp({ user: 'a', password: 'b' });
    const renewed = authority.issue({ dns: [NAME] });
    tls.set({ ...tls.current(), credential: renewed });
    credential.set(second);
    await calls.signUp({ user: 'a', password: 'b' });
    expect(seen).toEqual([first, second].map(({ chain }) => Buffer.from(chain[0] ?? []).toString('hex')));
    expect(servers[1]).toBe(Buffer.from(renewed.chain[0] ?? []).toString('hex'));
    expect(servers[0]).not.toBe(servers[1]);
  });
});

function launchRequest() {
  return {
    profile: 'p',
    nonce: Buffer.alloc(16),
    certificateRequest: Buffer.alloc(0),
    launchId: Buffer.alloc(16),
  };
}

function progress(phase: number): LaunchResponse {
  return {
    event: {
      $case: 'progress',
      value: { enclave: 'e', phase: phase as 1, message: '', at: undefined },
    },
  };
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of source) found.push(each);
  return found;
}
