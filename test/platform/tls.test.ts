import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { liveValue } from '../../platform/run/live.ts';
import { dialTls } from '../../platform/tls/dial.ts';
import { peerCertificate } from '../../platform/tls/peer.ts';
import { reloadOnChange } from '../../platform/tls/reload.ts';
import { type ServerTls, serverTlsOptions } from '../../platform/tls/server-options.ts';
import { withForcedSession } from '../support/forced-session.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const NAME = 'e1.enclaves.enclave-licensing.internal';
const authority = createTestAuthority();
const stranger = createTestAuthority('stranger');
const undo: (() => unknown)[] = [];
afterEach(() => {
  for (const each of undo.splice(0).reverse()) each();
});

async function serve(extra: Partial<ServerTls> = {}, tickets?: TlsOptions) {
  const settings = liveValue<ServerTls>({ credential: authority.issue({ dns: [NAME] }), ...extra });
  const sockets: TLSSocket[] = [];
  const server: Server = createServer({ ...serverTlsOptions(settings.current()), ...tickets }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write('hello');
  });
  server.on('tlsClientError', () => undefined);
  undo.push(
    () => server.close(),
    reloadOnChange(server, settings, () => undefined),
  );
  undo.push(() => {
    for (const socket of sockets) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    settings,
    sockets,
    port,
    dial: { host: '127.0.0.1', port, serverName: NAME, roots: [authority.root] },
  };
}

describe('trust', () => {
  test('an empty set makes no context, on either side', async () => {
    const credential = authority.issue({});
    expect(() =>
      serverTlsOptions({ credential, clientCertificates: { mode: 'requested', roots: [] } }),
    ).toThrow('empty trust set');
    const { dial } = await serve();
    await expect(dialTls({ ...dial, roots: [] })).rejects.toThrow('empty trust set');
  });

  test('root, name and protocol are checked', async () => {
    const { dial } = await serve({ alpn: ['a'] });
    await expect(dialTls({ ...dial, roots: [stranger.root] })).rejects.toThrow();
    await expect(dialTls({ ...dial, serverName: `x.${NAME}` })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    await expect(dialTls({ ...dial, alpn: ['b'] })).rejects.toThrow();
    const socket = await dialTls({ ...dial, alpn: ['a'] });
    expect(socket.alpnProtocol).toBe('a');
    expect(socket.getProtocol()).toBe('TLSv1.3');
    socket.destroy();
  });

  test('`requested` leaves it to code: authorized only for ours', async () => {
    const { dial, sockets } = await serve({
      clientCertificates: { mode: 'requested', roots: [authority.root] },
    });
    const ours = authority.issue({});
    for (const credential of [undefined, ours, stranger.issue({})]) {
      const socket = await dialTls({ ...dial, ...(credential && { credential }) });
      await new Promise((resolve) => socket.once('data', resolve));
      socket.destroy();
    }
    expect(sockets.map((socket) => socket.authorized)).toEqual([false, true, false]);
  });
});

test('a session is never resumed, so that the peer certificate is always there', async () => {
  const { dial, port } = await serve();
  const first = await dialTls(dial);
  const sessions: Buffer[] = [];
  first.on('session', (session) => sessions.push(session));
  await new Promise((resolve) => first.once('data', resolve));
  first.destroy();
  for (const session of sessions) {
    const again = connect({ port, host: '127.0.0.1', servername: NAME, session, rejectUnauthorized: false });
    await new Promise((resolve, reject) => again.once('secureConnect', resolve).once('error', reject));
    expect(again.isSessionReused()).toBe(false);
    expect(peerCertificate(again)).toBeDefined();
    again.destroy();
  }
});

test('a server that hands out tickets, and a client made to use one: the session is resumed, and refused', async () => {
  const { dial, port } = await serve({}, { secureOptions: 0, ticketKeys: Buffer.alloc(48, 7) });
  const judged: Uint8Array[] = [];
  const judgeServer = (certificate: Uint8Array): undefined => void judged.push(certificate);
  const first = await dialTls({ ...dial, judgeServer });
  const session = await new Promise<Buffer>((resolve) => {
    first.once('session', resolve);
    first.resume();
  });
  first.destroy();
  // It really is one that resumes, and Node then shows no certificate of this connection.
  const raw = connect({ port, host: '127.0.0.1', servername: NAME, session, rejectUnauthorized: false });
  await new Promise((resolve, reject) => raw.once('secureConnect', resolve).once('error', reject));
  expect(raw.isSessionReused()).toBe(true);
  expect(peerCertificate(raw)).toBeUndefined();
  raw.destroy();
  // dialTls offers none by itself, so it is forced upon it just before the handshake.
  await withForcedSession(session, async () => {
    for (const roots of [dial.roots, 'unauthenticated'] as const)
      await expect(dialTls({ ...dial, roots, judgeServer })).rejects.toMatchObject({
        code: 'ERR_TLS_SESSION_RESUMED',
      });
  });
  // Node did not even ask the judge: that is why the session's state is looked at.
  expect(judged).toHaveLength(1);
  (await dialTls({ ...dial, judgeServer })).destroy();
  expect(judged).toHaveLength(2);
});

test('a renewed certificate and a new trust set count from the next connection on', async () => {
  const { dial, settings } = await serve({
    clientCertificates: { mode: 'required', roots: [stranger.root] },
  });
  const credential = authority.issue({});
  const answer = await dialTls({ ...dial, credential }).then(
    (socket) =>
      new Promise((resolve) => {
        // TLS 1.3: the client is done before the server judges its certificate.
        socket.once('data', () => resolve('let in'));
        for (const end of ['error', 'close']) socket.once(end, () => resolve('shut out'));
      }),
    () => 'shut out',
  );
  expect(answer).toBe('shut out');
  const renewed = authority.issue({ dns: [NAME] });
  settings.set({ credential: renewed, clientCertificates: { mode: 'required', roots: [authority.root] } });
  const socket = await dialTls({ ...dial, credential });
  await new Promise((resolve) => socket.once('data', resolve));
  expect(peerCertificate(socket)).toBe(peerCertificate(socket));
  expect(Buffer.from(peerCertificate(socket) ?? [])).toEqual(Buffer.from(renewed.chain[0] ?? []));
  socket.destroy();
});

test('the options serve node:https as they are', () => {
  const server = createHttpsServer(serverTlsOptions({ credential: authority.issue({}) }));
  expect(server.listening).toBe(false);
});
