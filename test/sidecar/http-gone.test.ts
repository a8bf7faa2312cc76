import { afterEach, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { httpEnclave } from './http-fixture.ts';
import { dial, undoAll } from './sidecar-fixture.ts';
import { owner, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

const GET = 'GET / HTTP/1.1\r\nhost: e\r\n\r\n';
const UPGRADE = 'GET /ws HTTP/1.1\r\nhost: e\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n';

/** An app that never answers. */
async function silentEnclave() {
  const enclave = await httpEnclave({}, () => {});
  const waiting = { open: 0 };
  enclave.app.server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.once('close', () => {
      waiting.open -= 1;
    });
  });
  enclave.app.server.on('request', () => {
    waiting.open += 1;
  });
  enclave.app.server.on('upgrade', (_, socket) => {
    waiting.open += 1;
    socket.resume();
  });
  return { ...enclave, waiting };
}

test.each([
  ['one request', [GET]],
  ['two requests at once', [GET, GET]],
  ['many requests, in records of their own', Array.from({ length: 100 }, () => GET)],
  ['a WebSocket', [UPGRADE]],
  ['a WebSocket, and speaks before it is there', [UPGRADE, 'hello', 'again']],
])('who asks for %s and goes away before the app has answered gives the place back', async (_, asked) => {
  const { bind, metrics, waiting } = await silentEnclave();
  const client = await dial(bind, userCredential(owner));
  for (const each of asked) client.write(each);
  await until('the app is asked', () => waiting.open === 1);
  client.destroy();
  await until('the app hears of it', () => waiting.open === 0);
  expect(metrics.values.get('connections_active{}')).toBe(0);
});
