import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import type { EnclavePod } from '../../webhook/keeper/enclave-pod.ts';
import { UpstreamProbe } from '../../webhook/keeper/upstream-probe.ts';
import { until } from '../support/until.ts';

test('an app is reachable when it has answered three dials in a row, and no sooner; one that does not answer is not', async () => {
  let dialled = 0;
  const app = createServer((socket) => {
    dialled += 1;
    socket.destroy();
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const { port } = app.address() as AddressInfo;
  const pod = { launched: false, ended: false, ip: '127.0.0.1', upstreamPort: port } as EnclavePod;
  const pods: EnclavePod[] = [
    { ...pod, metadata: { uid: 'u-1' } },
    { ...pod, metadata: { uid: 'u-launched' }, launched: true },
    { ...pod, metadata: { uid: 'u-ended' }, ended: true },
  ];
  const seen: [number, number][] = [];
  const stop = new AbortController();
  const probe = new UpstreamProbe({
    pods: () => pods,
    localAddress: '127.0.0.1',
    everyMs: 100,
    onChange: () => seen.push([dialled, probe.reachable.size]),
    onTrouble: (reason) => {
      throw new Error(reason);
    },
  });
  const ended = probe.run(stop.signal);
  await until('it is reachable', async () => probe.reachable.get('u-1') === port);
  expect(seen[0]?.[0]).toBeGreaterThanOrEqual(3);
  app.close();
  await until('it is reachable no more', async () => probe.reachable.size === 0);
  expect(seen.map(([, size]) => size)).toEqual([1, 0]);
  stop.abort();
  await ended;
});
