import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createKeyPair } from '../../sidecar/key/key-pair.ts';
import { createEnclaveListener } from '../../sidecar/serve/enclave-listener.ts';
import { loopbackAddress } from '../support/loopback-block.ts';
import { until } from '../support/until.ts';
import { authorities, roots, SERVER_NAME, unixNow } from './trust-fixture.ts';

const openSockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

test('connections that stop in the middle of a handshake are closed, not kept for good', async () => {
  const host = loopbackAddress();
  let failures = 0;
  const listener = createEnclaveListener({
    host,
    port: 0,
    maxConnections: 1000,
    maxHandshakes: 1000,
    handshakeTimeout: 100,
    chooseProtocol: () => 'http/1.1',
    onConnection: (socket) => socket.destroy(),
    onDropped: () => {},
    onHandshakeFailure: () => {
      failures += 1;
    },
  });
  const key = createKeyPair('p256');
  const leaf = authorities.enclaves.certify(key.spki, { dns: [SERVER_NAME] });
  const times = { notBefore: unixNow() - 60, notAfter: unixNow() + 60 };
  const steps = { key: 0, prove: 0, certify: 0, quote: 0 };
  await listener.activate({ key, chain: [leaf], request: leaf, steps, ...times }, roots.users);
  const before = openSockets();
  const sockets: Socket[] = [];
  // Only knocks (a port scan, a TCP probe), begins and goes, begins and stays silent, talks nonsense.
  for (let round = 0; round < 10; round += 1)
    for (const write of [
      undefined,
      Buffer.from('1603010200', 'hex'),
      Buffer.alloc(0),
      Buffer.from('hello?'),
    ]) {
      const socket = connect({ host, port: listener.port() });
      socket.on('error', () => {});
      socket.once('connect', () => {
        if (write !== undefined) socket.write(write);
        if (write?.length !== 0) socket.destroy();
      });
      sockets.push(socket.resume());
    }
  // One that drips: each byte in time, the whole of it never.
  const slow = connect({ host, port: listener.port() });
  slow.on('error', () => {});
  slow.write(Buffer.from('1603010200010001fc0303', 'hex'));
  const drip = setInterval(() => slow.write('x'), 10);
  slow.once('close', () => clearInterval(drip));
  sockets.push(slow.resume());
  await until('all are closed by somebody', () => sockets.every((socket) => socket.closed));
  await until('nothing is left open', () => openSockets() <= before);
  expect(failures).toBeGreaterThan(0);
  listener.pause();
});
