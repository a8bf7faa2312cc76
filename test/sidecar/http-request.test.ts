import { afterEach, expect, test } from 'vitest';
import { httpApp, httpEnclave, httpSidecar } from './http-fixture.ts';
import { dial, drainOf, echoApp, httpOver, tokenFile, undoAll } from './sidecar-fixture.ts';
import { owner, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

/** Bytes out, everything that comes back. */
async function raw(bind: string, text: string): Promise<string> {
  const socket = await dial(bind, userCredential(owner));
  const answer = drainOf(socket);
  socket.write(text, 'latin1');
  return answer;
}

test('an app behind a Unix socket', async () => {
  const path = `${tokenFile()}.sock`;
  const app = await httpApp(undefined, path);
  const { bind } = await httpSidecar(`unix:${path}`);
  expect((await httpOver(await dial(bind, userCredential(owner)), '/')).status).toBe(201);
  expect(app.requests[0]?.headers.host).toBe('enclave');
});

test('a body stays a body, whatever the client says of its framing', async () => {
  const { app, bind } = await httpEnclave();
  const smuggled = 'GET /smuggled HTTP/1.1\r\nhost: x\r\nx-enclave-user: root\r\n\r\n';
  for (const method of ['GET', 'DELETE', 'POST', 'OPTIONS'])
    for (const framing of [
      `Connection: content-length\r\nContent-Length: ${smuggled.length}\r\n`,
      `Connection: close, Content-Length, host\r\nContent-Length: ${smuggled.length}\r\n`,
    ]) {
      const socket = await dial(bind, userCredential(owner));
      const answered = httpOver(socket, '/outer', framing, method);
      socket.write(smuggled);
      expect((await answered).body).toContain('smuggled');
    }
  expect(app.requests.map(({ url }) => url)).not.toContain('/smuggled');
  expect(app.requests.map(({ headers }) => headers['x-enclave-user'])).not.toContain('root');
});

test.each([
  [
    'both lengths',
    'POST / HTTP/1.1\r\nhost: e\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
  ],
  ['two lengths', 'POST / HTTP/1.1\r\nhost: e\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab', 400],
  ['a list of lengths', 'POST / HTTP/1.1\r\nhost: e\r\ncontent-length: 2, 2\r\n\r\nab', 400],
  ['a signed length', 'POST / HTTP/1.1\r\nhost: e\r\ncontent-length: +2\r\n\r\nab', 400],
  [
    'a coding that is none of ours',
    'POST / HTTP/1.1\r\nhost: e\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    501,
  ],
  [
    'chunked and more',
    'POST / HTTP/1.1\r\nhost: e\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n',
    400,
  ],
  [
    'chunked written otherwise',
    'POST / HTTP/1.1\r\nhost: e\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n',
    501,
  ],
  [
    'a blank before the colon',
    'POST / HTTP/1.1\r\nhost: e\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n',
    400,
  ],
  ['a folded line', 'GET / HTTP/1.1\r\nhost: e\r\nx: 1\r\n x-enclave-user: root\r\n\r\n', 400],
  ['a bare line feed', 'GET / HTTP/1.1\r\nhost: e\nx: 1\r\n\r\n', 400],
  ['a bare carriage return', 'GET / HTTP/1.1\r\nhost: e\r\nx: 1\rx-enclave-user: root\r\n\r\n', 400],
  ['a zero byte', 'GET / HTTP/1.1\r\nhost: e\r\nx: 1\0\r\n\r\n', 400],
  ['two hosts', 'GET / HTTP/1.1\r\nhost: e\r\nhost: f\r\n\r\n', 400],
  ['two hosts and an absolute target', 'GET http://e/ HTTP/1.1\r\nhost: e\r\nhost: f\r\n\r\n', 400],
  ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['a host with a user', 'GET / HTTP/1.1\r\nhost: a@b\r\n\r\n', 400],
  ['a host with a path', 'GET / HTTP/1.1\r\nhost: a/b\r\n\r\n', 400],
  ['a fragment', 'GET /a#b HTTP/1.1\r\nhost: e\r\n\r\n', 400],
  ['a star for GET', 'GET * HTTP/1.1\r\nhost: e\r\n\r\n', 400],
  ['another scheme', 'GET ftp://e/ HTTP/1.1\r\nhost: e\r\n\r\n', 400],
  ['another version', 'GET / HTTP/1.2\r\nhost: e\r\n\r\n', 400],
  ['a header of 64 KB', `GET / HTTP/1.1\r\nhost: e\r\nx: ${'y'.repeat(65_536)}\r\n\r\n`, 431],
])('refused before the app sees it: %s', async (_, text, status) => {
  const { app, bind } = await httpEnclave();

  const answer = await raw(bind, text);
  expect(answer.split('\r\n')[0]).toContain(` ${status} `);
  expect(app.requests).toEqual([]);
});

test('the target goes on as it came; an absolute one says whom it is for', async () => {
  const { app, bind } = await httpEnclave();
  for (const path of ['//a/../b/./c;d=%2e%2E?x=%00&y=a//b', '/%', '/a|b"', '*'])
    await httpOver(await dial(bind, userCredential(owner)), path, '', path === '*' ? 'OPTIONS' : 'GET');
  await httpOver(await dial(bind, userCredential(owner)), 'http://other:81?q');
  expect(app.requests.map(({ url }) => url)).toEqual([
    '//a/../b/./c;d=%2e%2E?x=%00&y=a//b',
    '/%',
    '/a|b"',
    '*',
    '/?q',
  ]);
  expect(app.requests.at(-1)?.headers.host).toBe('other:81');
});

test('requests that are sent at once are taken one by one, and answered in order', async () => {
  let [most, now] = [0, 0];
  const { bind } = await httpEnclave({}, (request, response) => {
    now += 1;
    most = Math.max(most, now);
    setTimeout(() => {
      now -= 1;
      response.end(`<${request.url}>`);
    }, 2);
  });
  const lines = Array.from({ length: 40 }, (_, i) => `GET /${i} HTTP/1.1\r\nhost: e\r\n`);
  const text = await raw(bind, `${lines.join('\r\n')}connection: close\r\n\r\n`);
  expect(text.match(/<\/\d+>/g)).toEqual(Array.from({ length: 40 }, (_, i) => `</${i}>`));
  expect(most).toBe(1);
});

test('a kept connection that the app has closed is tried again where that is safe', async () => {
  const seen: string[] = [];
  let serve = true;
  const app = await echoApp((socket) => {
    socket.on('data', (chunk: Buffer) => {
      seen.push(String(chunk).split(' ')[0] ?? '');
      // The connection breaks under the next request.
      if (serve) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      else socket.destroy();
      serve = !serve;
    });
  });
  const { bind } = await httpSidecar(String(app.port));
  const ask = async (method: string) =>
    (await httpOver(await dial(bind, userCredential(owner)), '/', '', method)).status;
  expect(await ask('GET')).toBe(200);
  expect(await ask('GET')).toBe(200);
  expect(await ask('POST')).toBe(502);
  expect(seen).toEqual(['GET', 'GET', 'GET', 'POST']);
});
