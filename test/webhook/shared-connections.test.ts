import { connect as connectTcp } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { head, rawConnection } from './raw-connection.ts';
import { REVIEW, serve } from './serving-fixture.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

async function start() {
  const served = await serve();
  undo.push(() => served.app.close());
  const { socket, said } = await rawConnection(served.port);
  undo.push(() => socket.destroy());
  return { ...served, socket, said };
}

test('three reviews at once on a connection get their own answers, in order, whatever letters are in them', async () => {
  const { socket, said } = await start();
  const uids = ['u-1', 'ü–☃', 'u-3'];
  const bodies = uids.map((uid) =>
    Buffer.from(JSON.stringify({ ...JSON.parse(REVIEW), request: { ...JSON.parse(REVIEW).request, uid } })),
  );
  socket.write(Buffer.concat(bodies.flatMap((body) => [Buffer.from(head(body.length)), body])));
  const answers = (): { uid: string; patch: string }[] => {
    let rest = Buffer.from(said(), 'latin1');
    const found = [];
    for (let at = rest.indexOf('\r\n\r\n'); at !== -1; at = rest.indexOf('\r\n\r\n')) {
      const length = Number(/content-length: (\d+)/i.exec(rest.subarray(0, at).toString())?.[1]);
      if (rest.length < at + 4 + length) break;
      found.push(JSON.parse(rest.subarray(at + 4, at + 4 + length).toString()).response);
      rest = rest.subarray(at + 4 + length);
    }
    return found;
  };
  const all = await until('three answers', () => answers().length === 3 && answers());
  expect(all.map(({ uid }) => uid)).toEqual(uids);
  expect(new Set(all.map(({ patch }) => patch)).size).toBe(1);
  expect(all[0]?.patch.length).toBeGreaterThan(1000);
});

test('strangers who hold all connections that there may be do not end one on which reviews are answered', async () => {
  const { port, rejected, socket, said } = await start();
  const answers = (): number =>
    said().split('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n').length - 1;
  const ask = (): void => void socket.write(`${head(Buffer.byteLength(REVIEW))}${REVIEW}`);
  ask();
  await until('the first answer', () => answers() === 1);
  const strangers = Array.from({ length: 1100 }, () =>
    connectTcp({ host: '127.0.0.1', port, localAddress: '127.0.0.77' }).on('error', () => undefined),
  );
  undo.push(() => strangers.map((each) => each.destroy()));
  await until('some are too many', () => rejected('too-many-connections') >= 7);
  ask();
  await until('the second answer', () => answers() === 2);
});
