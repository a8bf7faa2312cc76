import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { connectionCutter } from '../../platform/http/connection-cutter.ts';
import { until } from '../support/until.ts';

test('cuts what is open, and has let go of what has closed', async () => {
  const accepted: Socket[] = [];
  const destroyed: Socket[] = [];
  const server = createServer((socket) => {
    accepted.push(socket.on('error', () => undefined).resume());
    const { destroy } = socket;
    socket.destroy = function (this: Socket, ...args) {
      destroyed.push(this);
      return destroy.apply(this, args);
    };
  });
  const cut = connectionCutter(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const [gone, stays] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  await until('both are there', () => accepted.length === 2);
  const [first, second] = accepted as [Socket, Socket];
  const [left, right] = first.remotePort === gone.localPort ? [first, second] : [second, first];
  gone.end();
  await once(left, 'close');
  destroyed.length = 0;
  const closed = new Promise((resolve) => server.close(resolve));
  cut();
  await Promise.all([closed, once(stays, 'close')]);
  expect(destroyed).toEqual([right]);
});
