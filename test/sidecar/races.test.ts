import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import type { Credential } from '../../platform/identity/credential.ts';
import { until } from '../support/until.ts';
import { httpEnclave } from './http-fixture.ts';
import { dial, undoAll } from './sidecar-fixture.ts';
import { before } from './tcp-fixture.ts';
import { owner, unixNow, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

/** Clients that connect again and again, each with one connection at a time, until told to end. */
function hammer(
  bind: string,
  count: number,
  credential: Credential,
  use: (socket: TLSSocket) => Promise<unknown>,
) {
  let over = false;
  let refused = 0;
  const loops = Array.from({ length: count }, async () => {
    while (!over) {
      try {
        const socket = await dial(bind, credential);
        socket.on('error', () => {});
        await use(socket);
        socket.destroy();
      } catch {
        refused += 1;
        await setImmediate();
      }
    }
  });
  return {
    refused: () => refused,
    end: async () => {
      over = true;
      await Promise.all(loops);
    },
  };
}

/** Writes until the other side ends it. */
async function writeOn(socket: TLSSocket): Promise<void> {
  const closed = once(socket, 'close');
  socket.resume();
  const writing = setInterval(() => socket.write('x'), 20);
  await closed.finally(() => clearInterval(writing));
}

test('connections that are made around the end of a certificate: none outlives it', async () => {
  let last = 0;
  const { bind, value } = await before((socket) => void socket.on('data', () => (last = Date.now())));
  const notAfter = unixNow() + 3;
  const clients = hammer(bind, 8, userCredential(owner, {}, { notAfter }), writeOn);
  await until('somebody is in', () => value('connections_active{}') > 0);
  await until('the end', () => Date.now() > (notAfter + 1) * 1000 + 500);
  await until('nobody is in', () => value('connections_active{}') === 0);
  await clients.end();
  expect(last).toBeGreaterThan(0);
  // To the second in which it ends, and no further.
  expect(last).toBeLessThan((notAfter + 1) * 1000 + 500);
  expect(value('refusals_total{code="certificate-expired"}')).toBeGreaterThan(0);
});

test('connections that are made while it drains are ended, and the process with them', async () => {
  const { bind, stop, value } = await before((socket) => void socket.pipe(socket));
  const clients = hammer(bind, 20, userCredential(owner), writeOn);
  await until('some are in', () => value('connections_active{}') > 5);
  await stop();
  await until('nobody is in', () => value('connections_active{}') === 0);
  const refused = clients.refused();
  await until('the port is shut', () => clients.refused() > refused);
  await clients.end();
});

test('requests that are sent while it drains are answered whole or not at all', async () => {
  const { bind, stop } = await httpEnclave(
    {},
    (_, response) => void response.end(`${'a'.repeat(200_000)}END`),
  );
  const answers = { whole: 0, none: 0, cut: 0 };
  const clients = hammer(bind, 10, userCredential(owner), async (socket) => {
    const closed = once(socket, 'close').catch(() => undefined);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    for (;;) {
      text = '';
      socket.write('GET / HTTP/1.1\r\nhost: e\r\n\r\n');
      const whole = (): boolean => text.endsWith('END');
      await Promise.race([until('an answer', () => whole() || socket.destroyed), closed]);
      if (whole()) answers.whole += 1;
      else if (text === '') answers.none += 1;
      else answers.cut += 1;
      if (socket.destroyed) return;
    }
  });
  await until('requests', () => answers.whole > 50);
  await stop();
  await clients.end();
  expect(answers.cut).toBe(0);
});
