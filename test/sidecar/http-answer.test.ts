import { afterEach, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { untilStill } from '../support/until-still.ts';
import { answerOf, dialHttp2, httpEnclave, httpSidecar } from './http-fixture.ts';
import { dial, drainOf, echoApp, httpOver, startSidecar, undoAll } from './sidecar-fixture.ts';
import { owner, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

/** Bytes out, everything that comes back. */
async function raw(bind: string, text: string): Promise<string> {
  const socket = await dial(bind, userCredential(owner));
  const answer = drainOf(socket);
  socket.write(text, 'latin1');
  return answer;
}

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
    response.writeHead(413).end('too large');
  });
  const socket = await dial(bind, userCredential(owner));
  const answer = drainOf(socket);
  socket.write('POST / HTTP/1.1\r\nhost: e\r\nconnection: close\r\ncontent-length: 100000000\r\n\r\n');
  const sending = setInterval(() => socket.writable && socket.write(Buffer.alloc(65_536)), 5);
  expect(await answer).toMatch(/ 413 [\s\S]*too large/);
  clearInterval(sending);
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
      response.writeHead(200, { 'content-length': 10 }).write('part', () => response.destroy());
    }
  });
  const client = await dial(bind, userCredential(owner));
  client.write('GET /wait HTTP/1.1\r\nhost: e\r\n\r\n');
  await until('the request is under way', () => app.requests.length === 1);
  client.destroy();
  await until('the app hears that the client went', () => ended === 1);
  // What was cut off does not look whole: the connection ends before the length that was promised.
  expect(await raw(bind, 'GET /part HTTP/1.1\r\nhost: e\r\n\r\n')).toMatch(/part$/);
});

test('an app that is away is a problem', async () => {
  const { agent } = await httpEnclave();
  const sidecar = startSidecar(agent, { upstream: '1', mode: 'http' });
  await until('certificate', () => sidecar.health.ready().lines.join().includes('certificate: ok'));
  await until('trust document', () => sidecar.health.ready().lines.join().includes('trust-document: ok'));
  const answer = await httpOver(await dial(sidecar.bind, userCredential(owner)), '/');
  expect(answer.status).toBe(502);
  expect(JSON.parse(answer.body).code).toBe('upstream');
});

test('what an app says beside its answer and cannot be written on is left out', async () => {
  const twice = 'etag: a\r\netag: b\r\n';
  const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n';
  const answers = [
    `HTTP/1.1 103 Early Hints\r\nlink: nonsense\r\n${twice}\r\n${chunked}\r\n`,
    `${chunked}${twice}x-z: \x80\r\n\r\n`,
    `${chunked}x-t: \x7f\r\n\r\n`,
  ];
  let next = '';
  const app = await echoApp((socket) => void socket.once('data', () => socket.end(next, 'latin1')));
  const { bind } = await httpSidecar(String(app.port));
  for (next of answers) {
    const session = await dialHttp2(bind, userCredential(owner));
    expect(await answerOf(session.request({ ':path': '/' }))).toMatchObject({ status: 200, body: 'ok' });
    await httpOver(await dial(bind, userCredential(owner)), '/');
  }
  next = `HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\nx: ${'y'.repeat(30_000)}\r\ncontent-length: 2\r\n\r\nok`;
  const session = await dialHttp2(bind, userCredential(owner));
  const { headers, body } = await answerOf(session.request({ ':path': '/' }));
  expect(body).toBe('ok');
  expect(headers.filter((name) => name === 'date')).toHaveLength(1);
});

test('an app that does not answer in time is a problem of its own', async () => {
  const { bind } = await httpEnclave({ idleTimeout: 1500 }, (request, response) => {
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
  expect(await untilStill('what the app sends', () => sent)).toBeLessThan(32_000_000);
});
