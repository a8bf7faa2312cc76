import { afterEach, expect, test, vi } from 'vitest';
import { createAccessLog } from '../../sidecar/log/access-log.ts';
import { until } from '../support/until.ts';
import { answerOf, dialHttp2, httpEnclave } from './http-fixture.ts';
import { dial, drainOf, httpOver, undoAll } from './sidecar-fixture.ts';
import { owner, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

test('who never asks is cut off, who has asked may stay', async () => {
  const { bind } = await httpEnclave({ requestTimeout: 1500 });
  const silent = await dial(bind, userCredential(owner));
  const silentHttp2 = await dialHttp2(bind, userCredential(owner));
  const ended = new Promise((resolve) => silentHttp2.once('close', resolve));
  const asking = await dial(bind, userCredential(owner));
  const request = 'GET / HTTP/1.1\r\nhost: e\r\n\r\n';
  asking.write(request);
  await new Promise((resolve) => asking.once('data', resolve));
  silent.write('GET / HTTP/1.1\r\nslow: ');
  await new Promise((resolve) => silent.once('close', resolve));
  await ended;
  asking.write(request);
  expect(String(await new Promise((resolve) => asking.once('data', resolve)))).toContain('201');
});

test('draining waits for requests under way, not for idle connections', async () => {
  const { app, bind, stop } = await httpEnclave({ shutdownTimeout: 30_000 });
  const idle = await dial(bind, userCredential(owner));
  idle.write('GET / HTTP/1.1\r\nhost: e\r\n\r\n');
  await new Promise((resolve) => idle.once('data', resolve));
  const idleHttp2 = await dialHttp2(bind, userCredential(owner));
  await answerOf(idleHttp2.request({ ':path': '/' }));
  const busy = await dial(bind, userCredential(owner));
  const answer = drainOf(busy);
  busy.write('POST / HTTP/1.1\r\nhost: e\r\ncontent-length: 4\r\n\r\nha');
  const busyHttp2 = await dialHttp2(bind, userCredential(owner));
  const stream = busyHttp2.request({ ':path': '/', ':method': 'POST' });
  const answerHttp2 = answerOf(stream);
  stream.write('ha');
  await until('the requests are under way', () => app.requests.length === 4);
  const start = Date.now();
  const stopped = stop();
  await Promise.all([
    new Promise((resolve) => idle.once('end', resolve)),
    new Promise((resolve) => idleHttp2.once('close', resolve)),
  ]);
  busy.write('lf');
  stream.end('lf');
  expect(await answer).toContain('half');
  expect(await answerHttp2).toMatchObject({ status: 201, body: 'half' });
  await stopped;
  // Not as long as a drain waits for clients that stay.
  expect(Date.now() - start).toBeLessThan(10_000);
});

test('the access log has a line a request, and nothing in it that is secret or that a terminal obeys', async () => {
  const written: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  try {
    const { bind, metrics, stop } = await httpEnclave({ accessLog: 'on' });
    const secret = 'authorization: Bearer secret\r\ncookie: secret\r\nx-other: secret\r\n';
    const socket = await dial(bind, userCredential(owner, { user: 'alice\u00e9' }));
    await httpOver(socket, `/path%0a"/${'x'.repeat(9000)}?token=secret`, secret);
    await httpOver(await dial(bind, userCredential(owner)), '/#', secret);
    const session = await dialHttp2(bind, userCredential(owner));
    await answerOf(session.request({ ':path': '/two?secret', ':method': 'POST' }).end('body'));
    await stop();
    const lines = written.join('').trimEnd().split('\n');
    const records = lines.map((line) => JSON.parse(line));
    expect(records).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        component: 'sidecar',
        msg: 'request',
        request: expect.stringMatching(/^[0-9a-f]{12}-1$/),
        user: 'alice\u00e9',
        method: 'GET',
        path: expect.stringMatching(/^\/path%0a"\/x+$/),
        http: 1,
        status: 201,
        bytes: 0,
        milliseconds: expect.any(Number),
        outcome: 'ok',
      },
      expect.objectContaining({ status: 400, outcome: 'malformed', user: 'alice', path: '/#' }),
      expect.objectContaining({
        status: 201,
        outcome: 'ok',
        method: 'POST',
        path: '/two',
        http: 2,
        bytes: 4,
      }),
    ]);
    expect(written.join('')).not.toContain('secret');
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(1000);
    expect(metrics.values.get('requests_total{class="2xx"}')).toBe(2);
    expect(metrics.values.get('requests_total{class="4xx"}')).toBe(1);
  } finally {
    write.mockRestore();
  }
});

test('an access log line holds one record, whatever is in it', () => {
  const written: string[] = [];
  const log = createAccessLog((lines) => void written.push(lines));
  const record = { method: 'GET', version: 1, status: 200, bytes: 1, milliseconds: 1, outcome: 'ok' };
  const path = '/"\n\r\u001b[2J\u0085\u009b\u2028\u202e';
  log.write({ ...record, id: '1', user: 'u"\n', path: `${path}?q` });
  log.flush();
  const [line = ''] = written;
  expect(line).toMatch(/^[ -~]+\n$/);
  expect(JSON.parse(line)).toMatchObject({ user: 'u"\n', path });
});
