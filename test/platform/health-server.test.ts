import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createHealth } from '../../platform/health/health.ts';
import { serveHealth } from '../../platform/health/health-server.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';

test('connections that strangers hold do not make a probe fail', async () => {
  const server = await serveHealth('127.0.0.1', 0, createHealth(), recordingMetrics());
  const held: Socket[] = [];
  for (let index = 0; index < 100; index += 1) {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    held.push(socket);
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  }
  expect((await fetch(`http://127.0.0.1:${server.port}/livez`)).status).toBe(200);
  for (const socket of held) socket.destroy();
  await server.close();
});

test('a probe that waits is answered when what it asks for is ready, one that does not at once', async () => {
  const health = createHealth();
  const server = await serveHealth('127.0.0.1', 0, health, recordingMetrics());
  const ask = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return [answer.status, await answer.text()];
  };
  const certificate = health.check('certificate');
  const upstream = health.check('upstream');
  expect(await ask('/readyz?wait=1')).toEqual([503, 'certificate: starting\nupstream: starting\nnot ok\n']);
  const [started, ready] = [ask('/readyz/certificate?wait=999'), ask('/readyz?wait=999')];
  expect((await ask('/readyz/certificate'))[0]).toBe(503);
  const later = ask('/readyz/other?wait=600').then(() => 'later');
  certificate.ok();
  // As soon as its own check is good, whatever the others are.
  expect(await Promise.race([later, started.then(() => 'at once')])).toBe('at once');
  expect(await started).toEqual([200, 'certificate: ok\nok\n']);
  upstream.ok();
  expect((await ready)[0]).toBe(200);
  // Nothing of that name is ready, and draining ends it all.
  expect((await ask('/readyz/other?wait=1'))[0]).toBe(503);
  health.drain();
  expect((await ask('/readyz/certificate?wait=1'))[0]).toBe(503);
  await server.close();
});

test('a connection brings one request: who sends more without waiting for its answer is cut off', async () => {
  const server = await serveHealth('127.0.0.1', 0, createHealth(), recordingMetrics());
  const answersTo = async (requests: string): Promise<string> => {
    const socket = connect(server.port, '127.0.0.1').setEncoding('latin1');
    socket.on('error', () => {});
    let answers = '';
    socket.on('data', (text: string) => {
      answers += text;
    });
    socket.write(requests);
    await new Promise((resolve) => socket.once('close', resolve));
    return answers;
  };
  const request = 'GET /readyz/other?wait=99 HTTP/1.1\r\nhost: a\r\n\r\n';
  expect(await answersTo(request)).toMatch(/^HTTP\/1.1 503 .*\r\nconnection: close\r\n/is);
  expect(await answersTo(request.repeat(100))).toBe('');
  await server.close();
});
