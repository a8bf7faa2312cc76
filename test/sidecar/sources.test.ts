import { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { createServer, TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { boundHandshakes } from '../../sidecar/serve/bound-handshakes.ts';
import { createEvidencePlaces } from '../../sidecar/serve/evidence-places.ts';
import { sourceOf } from '../../sidecar/serve/source-of.ts';
import { undo, undoAll } from './sidecar-fixture.ts';

afterEach(undoAll);

test.each([
  ['10.1.2.3', '10.1.2.3'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['2001:db8::3:4:5:6', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['', ''],
])('%s is counted as %s', (address, source) => {
  expect(sourceOf(address)).toBe(source);
});

/** A connection from there: loopback has one IPv6 address only. */
function from<Kind extends Socket>(socket: Kind, remoteAddress: string, remotePort: number): Kind {
  undo.push(() => socket.destroy());
  return Object.defineProperties(socket, {
    remoteAddress: { value: remoteAddress },
    remotePort: { value: remotePort },
  });
}

test('evidence: one who has a /64 has the places of one', () => {
  const places = createEvidencePlaces({ most: 100, onEvicted: () => {}, onSilent: () => {} });
  const come = (address: string) => places.take(from(new TLSSocket(new Socket()), address, 1));
  for (let i = 1; i <= 40; i += 1) come(`2001:db8:0:1::${i}`);
  expect(places.sockets().length).toBe(16);
  come('2001:db8:0:2::1');
  expect(places.sockets().length).toBe(17);
});

test('handshakes: one who has a /64 pushes out itself, also from one port of several addresses', async () => {
  const server = createServer();
  const handshakes = boundHandshakes(server, 4);
  const come = async (address: string): Promise<Socket> => {
    const socket = from(new Socket(), address, 7);
    server.emit('connection', socket);
    // Who had to go has closed.
    await setImmediate();
    return socket;
  };
  const other = await come('2001:db8:0:2::1');
  const theirs: Socket[] = [];
  for (let i = 1; i <= 6; i += 1) theirs.push(await come(`2001:db8:0:1::${i}`));
  expect(other.destroyed).toBe(false);
  expect(theirs.map(({ destroyed }) => destroyed)).toEqual([true, true, true, false, false, false]);
  const done = from(new TLSSocket(new Socket()), '2001:db8:0:1::6', 7);
  expect(handshakes.done(done)).toBe(theirs[5]);
});
