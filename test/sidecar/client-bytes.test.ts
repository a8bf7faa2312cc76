import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { ClientBytes } from '../../sidecar/proxy/client-bytes.ts';

/** An app that takes all, and a connection to it. */
async function app() {
  let got = 0;
  const server = createServer((socket) => socket.on('data', (chunk) => (got += chunk.length)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const to: Socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(to, 'connect');
  const stop = (): void => {
    to.destroy();
    server.close();
  };
  return { to, got: () => got, stop };
}

test('memory goes back with the piece that fills it, and never while others stand in it too', async () => {
  const { to, got, stop } = await app();
  const stream = new Readable({ read: () => {} });
  const bytes = new ClientBytes(stream, 16_384, true);
  bytes.sendTo(to);
  const whole = Buffer.from(new ArrayBuffer(8192));
  const shared = new ArrayBuffer(65_536);
  stream.push(whole);
  stream.push(Buffer.from(shared, 0, 8192));
  await expect.poll(got).toBe(16_384);
  expect(whole.buffer.byteLength).toBe(0);
  expect(shared.byteLength).toBe(65_536);
  // Others may hold on to what comes from elsewhere.
  const other = new Readable({ read: () => {} });
  new ClientBytes(other).sendTo(to);
  const lent = Buffer.from(new ArrayBuffer(8192));
  other.push(lent);
  await expect.poll(got).toBe(24_576);
  expect(lent.buffer.byteLength).toBe(8192);
  stop();
});
