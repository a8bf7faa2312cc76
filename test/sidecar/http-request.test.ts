import { afterEach, expect, test } from 'vitest';
import { answerOf, dialHttp2, httpApp, httpEnclave, httpSidecar } from './http-fixture.ts';
import {
  dial,
  drainOf,
  echoApp,
  httpOver,
  startSidecar,
  tokenFile,
  undoAll,
  until,
} from './sidecar-fixture.ts';
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

test('interim answers, HEAD, and answers without a body', async () => {
  const { bind } = await httpEnclave({}, (request, response) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' });
    if (request.url === '/nothing') return void response.writeHead(204).end();
    request.resume();
    request.on('end', () => response.writeHead(200, { 'content-length': 3 }).end('abc'));
    return undefined;
  });
  const socket = await dial(bind, userCredential(owner));
  const answer = drainOf(socket);
  socket.write('POST / HTTP/1.1\r\nhost: e\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  socket.write('hi');
  socket.write(
    'HEAD / HTTP/1.1\r\nhost: e\r\n\r\nGET /nothing HTTP/1.1\r\nhost: e\r\nconnection: close\r\n\r\n',
  );
  const text = await answer;
  expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(
    ['100', '103', '200', '103', '200', '103', '204'].map((status) => `HTTP/1.1 ${status}`),
  );
  expect(text.match(/abc/g)).toHaveLength(1);
  expect(text).toContain('rel=preload');
});

test('a refusal before the body is asked for reaches a client that waits for 100', async () => {
  const { app, bind } = await httpEnclave();
  app.server.on('checkContinue', (_request, response) => response.writeHead(413).end('no'));
  const text = await raw(
    bind,
    'POST / HTTP/1.1\r\nhost: e\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n',
  );
  expect(text).toMatch(/^HTTP\/1.1 413 /);
  expect(text).not.toContain(' 100 ');
});

test('an answer before the end of the request is not lost', async () => {
  const { bind } = await httpEnclave({}, (_request, response) => {
    response.writeHead(413, { connection: 'close' }).end('too large');
  });
  const socket = await dial(bind, userCredential(owner));
  const answer = drainOf(socket);
  socket.write('POST / HTTP/1.1\r\nhost: e\r\nconnection: close\r\ncontent-length: 100000000\r\n\r\n');
  const sending = setInterval(() => socket.writable && socket.write(Buffer.alloc(65_536)), 5);
  expect(await answer).toMatch(/ 413 [\s\S]*too large/);
  clearInterval(sending);
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

test('what the app or the client does wrong ends one request, not the sidecar', async () => {
  const answers = [
    'HTTP/1.1 200 \x01\x02\r\n\r\n',
    'HTTP/1.1 2\r\n\r\n',
    'HTTP/1.1 999 x\r\ncontent-length: 0\r\n\r\n',
    'not http at all',
    'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
    '',
  ];
  let next = '';
  const app = await echoApp((socket) => void socket.once('data', () => socket.end(next)));
  const { bind } = await httpSidecar(String(app.port));
  for (next of answers) {
    const { status, body } = await httpOver(await dial(bind, userCredential(owner)), '/');
    expect([502, 200, 999], next).toContain(status);
    if (status === 502) expect(JSON.parse(body)).toMatchObject({ code: 'upstream', status: 502 });
  }
  for (const path of ['//', '/\x7f', '/%', '*', 'http://elsewhere/', '/a b']) {
    await httpOver(await dial(bind, userCredential(owner)), path, 'host: second\r\n');
    const evidence = await dial(bind, undefined, { ALPNProtocols: ['enclave-evidence/1'] });
    await httpOver(evidence, path);
  }
  const gone = await dial(bind, userCredential(owner));
  gone.write('POST / HTTP/1.1\r\nhost: e\r\ncontent-length: 100\r\n\r\nabc');
  gone.destroy();
  next = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
  expect((await httpOver(await dial(bind, userCredential(owner)), '/')).body).toBe('ok');
});

test('who goes away takes the other side along', async () => {
  let ended = 0;
  const { app, bind } = await httpEnclave({}, (request, response) => {
    response.once('close', () => {
      ended += 1;
    });
    if (request.url === '/part') {
      response.writeHead(200, { 'content-length': 10 }).write('part');
      setTimeout(() => response.destroy(), 20);
    }
  });
  const client = await dial(bind, userCredential(owner));
  client.write('GET /wait HTTP/1.1\r\nhost: e\r\n\r\n');
  await until(() => app.requests.length === 1, 'the request is under way');
  client.destroy();
  await until(() => ended === 1, 'the app hears that the client went');
  // What was cut off does not look whole: the connection ends before the length that was promised.
  expect(await raw(bind, 'GET /part HTTP/1.1\r\nhost: e\r\n\r\n')).toMatch(/part$/);
});

test('an app that is away is a problem', async () => {
  const { agent } = await httpEnclave();
  const sidecar = startSidecar(agent, { upstream: '1', mode: 'http' });
  await until(() => sidecar.health.ready().lines.join().includes('certificate: ok'), 'certificate');
  await until(() => sidecar.health.ready().lines.join().includes('trust-document: ok'), 'trust document');
  const answer = await httpOver(await dial(sidecar.bind, userCredential(owner)), '/');
  expect(answer.status).toBe(502);
  expect(JSON.parse(answer.body).code).toBe('upstream');
});

test('what an app says beside its answer and cannot be written on is left out', async () => {
  const twice = 'etag: a\r\netag: b\r\nx-\x80: \x80\r\n';
  const chunked = 'transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n';
  const text = `HTTP/1.1 103 Early Hints\r\nlink: nonsense\r\n${twice}\r\nHTTP/1.1 200 OK\r\n${chunked}`;
  const answers = [`${text}${twice.replace('x-\x80', 'x-z')}\r\n`, `${text}x-t: \x7f\r\n\r\n`];
  let next = '';
  const app = await echoApp((socket) => void socket.once('data', () => socket.end(next, 'latin1')));
  const { bind } = await httpSidecar(String(app.port));
  for (next of answers) {
    const session = await dialHttp2(bind, userCredential(owner));
    await answerOf(session.request({ ':path': '/' }));
    await httpOver(await dial(bind, userCredential(owner)), '/');
  }
  next = `HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\nx: ${'y'.repeat(30_000)}\r\ncontent-length: 2\r\n\r\nok`;
  const session = await dialHttp2(bind, userCredential(owner));
  const { headers, body } = await answerOf(session.request({ ':path': '/' }));
  expect(body).toBe('ok');
  expect(headers.filter((name) => name === 'date')).toHaveLength(1);
});

test('an app that does not answer in time is a problem of its own', async () => {
  const { bind } = await httpEnclave({ idleTimeout: 300 }, (request, response) => {
    if (request.url === '/quick') response.end('quick');
  });
  const kept = await dial(bind, userCredential(owner));
  kept.write('GET /quick HTTP/1.1\r\nhost: e\r\n\r\n');
  await new Promise((resolve) => kept.once('data', resolve));
  const answer = await httpOver(kept, '/');
  const session = await dialHttp2(bind, userCredential(owner));
  expect(await answerOf(session.request({ ':path': '/' }))).toMatchObject({ status: 504 });
  expect(answer.status).toBe(504);
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'upstream-timeout', remedy: expect.any(String) });
});

test('a client or app that does not read holds the other up, and fills no memory', async () => {
  let sent = 0;
  const block = Buffer.alloc(65_536);
  const { bind } = await httpEnclave({}, (_request, response) => {
    const more = (): void => {
      while (sent < 256_000_000) {
        sent += block.length;
        if (!response.write(block)) return void response.once('drain', more);
      }
    };
    more();
  });
  const deaf = await dial(bind, userCredential(owner));
  deaf.pause();
  deaf.write('GET / HTTP/1.1\r\nhost: e\r\n\r\n');
  let before = -1;
  await until(async () => {
    const still = sent > 0 && sent === before;
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return still;
  }, 'the app is held up');
  expect(sent).toBeLessThan(32_000_000);
});
