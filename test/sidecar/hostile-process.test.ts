import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { resolve } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chainPem, privateKeyPem } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { loopbackAddress } from '../support/loopback-block.ts';
import { forgetPeak, peakMemory } from '../support/peak-memory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { until } from '../support/until.ts';
import { untilStill } from '../support/until-still.ts';
import { agentFixture, dial, echoApp, tokenFile, undo, undoAll } from './sidecar-fixture.ts';
import { startSidecarProcess } from './sidecar-process.ts';
import { CONTENT, tls13Records } from './tls13-records.ts';
import { owner, userCredential } from './trust-fixture.ts';

/** The sidecar as it is shipped, in a process of its own, so that its memory can be looked at while it is attacked. */
const bind = loopbackAddress();
let pid = 0;
const MEBIBYTE = 1024 * 1024;
/** A node's default is 128 MiB in all; an idle sidecar takes some 50. */
const MORE_MEMORY = 60 * MEBIBYTE;
/** Generous, and less than an attacker's handshake may take (10 s): attackers, attacked and the good client share two cores with other suites. */
const PATIENCE_MS = 8000;
/** Blocks that the app has poured out. */
let poured = 0;
const answers = Buffer.alloc(MEBIBYTE, 0x61);

beforeAll(async () => {
  const agent = await agentFixture();
  // Echoes, and to who says "pour" sends without end.
  const app = await echoApp((socket) => {
    const pour = (): void => {
      do poured += 1;
      while (socket.write(answers));
      socket.once('drain', pour);
    };
    socket.on('data', (chunk: Buffer) => (chunk.toString() === 'pour' ? pour() : void socket.write(chunk)));
    socket.once('end', () => socket.end());
  });
  const { child, gone } = startSidecarProcess({
    main: resolve('dist/sidecar/main.js'),
    bind,
    agent,
    tokenFile: tokenFile(),
    upstream: String(app.port),
    changes: { ENCLAVE_SIDECAR_LOG_LEVEL: 'error', ENCLAVE_SIDECAR_MAX_CONNECTIONS: '512' },
  });
  pid = child.pid ?? 0;
  undo.push(async () => {
    child.kill('SIGKILL');
    await gone;
  });
  await until(
    'readiness',
    async () => (await fetch(`http://${bind}:9464/readyz`).catch(() => undefined))?.ok === true,
  );
  await tryOnce();
});
afterAll(undoAll);

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`http://${bind}:9464/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`enclave_sidecar_${name} `));
  return Number(line?.split(' ')[1] ?? 0);
}

const good = userCredential(owner);
const goodTls = { cert: chainPem(good), key: privateKeyPem(good.privateKey) };
/** Attackers have one address, who means well has another. */
const FROM_ELSEWHERE: ConnectionOptions & { localAddress: string } = { localAddress: loopbackAddress() };

/** A good client that comes, asks and goes; in milliseconds. */
async function tryOnce(): Promise<number> {
  const begun = performance.now();
  const socket = await dial(bind, userCredential(owner), { ...FROM_ELSEWHERE, ...goodTls });
  socket.write('good');
  expect(String((await once(socket, 'data'))[0])).toBe('good');
  socket.destroy();
  return performance.now() - begun;
}

const lines: Socket[] = [];
function line(): Socket {
  const socket = connectTcp({ host: bind, port: 8443 });
  socket.on('error', () => {});
  lines.push(socket);
  return socket;
}

/** A handshake that may fail; resolves when it is over in either way. */
function shake(options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve) => {
    const socket = connect({
      host: bind,
      port: 8443,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ...options,
    });
    lines.push(socket);
    socket.on('error', () => resolve(socket));
    socket.once('secureConnect', () => resolve(socket));
  });
}

/** A handshake that the sidecar is to end, one way or the other. */
async function refused(options: ConnectionOptions): Promise<void> {
  const socket = await shake(options);
  socket.resume().end();
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
}

const times = async <T>(n: number, each: (i: number) => Promise<T> | T): Promise<T[]> =>
  Promise.all(Array.from({ length: n }, (_, i) => each(i)));

const stranger = createTestAuthority('nobody');
const otherKey = generateKey();

function credentialOf(bytes: number): ConnectionOptions {
  const uri = [`spiffe://${'x'.repeat(bytes)}`];
  const credential = userCredential(
    otherKey,
    {},
    { extensions: { subjectAltName: { dns: [], uri } } },
    stranger,
  );
  return { cert: chainPem(credential), key: privateKeyPem(credential.privateKey) };
}

const ATTACKS: readonly (readonly [string, string, () => Promise<unknown>])[] = [
  ['connections that say nothing', 'handshake_failures_total', async () => times(400, () => line())],
  [
    'ClientHellos of 64 KB that never end',
    'handshake_failures_total',
    () =>
      times(200, async () => {
        const socket = line();
        const record = Buffer.concat([Buffer.from('1603014000', 'hex'), Buffer.alloc(16_384)]);
        Buffer.from('0100fff00303', 'hex').copy(record, 5);
        for (let i = 0; i < 4 && !socket.destroyed; i += 1)
          if (!socket.write(i < 3 ? record : record.subarray(0, 9000)))
            await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
      }),
  ],
  [
    'connections that are reset, before and within the handshake',
    'handshake_failures_total',
    () =>
      times(600, async (i) => {
        const socket = line();
        await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
        if (i % 2 === 0) socket.write(Buffer.from('1603010200010001fc0303', 'hex'));
        socket.resetAndDestroy();
      }),
  ],
  [
    'sixty protocols of 255 bytes each',
    'handshake_failures_total',
    () =>
      times(40, () =>
        refused({ ALPNProtocols: Array.from({ length: 60 }, (_, i) => `${i}`.padEnd(255, '.')) }),
      ),
  ],
  [
    'client certificates of 90 KB',
    'refusals_total{code="certificate-malformed"}',
    () => times(20, () => refused(credentialOf(90_000))),
  ],
  [
    'client certificates of 120 KB',
    'handshake_failures_total',
    () => times(20, () => refused(credentialOf(120_000))),
  ],
  [
    'chains of 100 certificates',
    'refusals_total{code="certificate-untrusted"}',
    () => {
      const chain = Array.from({ length: 100 }, () => stranger.certify(otherKey.spki, { dns: ['x'] }));
      return times(20, () =>
        refused({
          cert: chainPem({ chain }),
          key: privateKeyPem(otherKey.privateKey),
        }),
      );
    },
  ],
  [
    'a flood of key updates that ask for an answer nobody reads',
    'connections_total{via="owner"}',
    async () => {
      const records = await tls13Records(bind, 8443, goodTls);
      lines.push(records.line);
      records.line.pause();
      for (let i = 0; i < 100; i += 1) {
        records.line.write(Buffer.concat(Array.from({ length: 100 }, () => records.keyUpdate(true))));
        await new Promise((resolve) => setImmediate(resolve));
      }
      // It is still a good connection: none of it is refused, and none of it is kept.
      records.line.write(records.seal(CONTENT.data, Buffer.from('still here')));
      const before = records.line.bytesRead;
      records.line.resume();
      await until('the answer', () => records.line.bytesRead > before);
    },
  ],
  [
    'clients that stop reading',
    'connections_total{via="owner"}',
    () =>
      times(100, async () => {
        const socket = await shake(goodTls);
        socket.pause();
        socket.write('pour');
      }).then(() => untilStill('what the app pours', () => poured)),
  ],
  [
    'evidence that nobody reads',
    'evidence_requests_total{outcome="decision"}',
    () =>
      times(12, async () => {
        const socket = await shake({ ALPNProtocols: ['enclave-evidence/1'] });
        socket.pause();
        socket.write('GET /v1/access-decision HTTP/1.1\r\nhost: e\r\n\r\n'.repeat(200));
      }),
  ],
  [
    'probes without end, all at once, that wait for what never is',
    'connections_total{via="owner"}',
    async () => {
      const probes = 'GET /readyz/nothing?wait=999 HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(2000);
      for (let i = 0; i < 4; i += 1)
        await times(64, async () => {
          const socket = connectTcp({ host: bind, port: 9464 });
          socket.on('error', () => {}).resume();
          lines.push(socket);
          socket.write(probes);
          await new Promise((resolve) => socket.once('close', resolve));
        });
    },
  ],
];

test.each(ATTACKS)('%s: bounded memory, others unaffected, counted', async (_, counter, attack) => {
  const counted = await metric(counter);
  const memory = forgetPeak(pid);
  let over = false;
  let worst = 0;
  const others = (async () => {
    do worst = Math.max(worst, await tryOnce());
    while (!over);
  })();
  await attack();
  await tryOnce();
  over = true;
  await others;
  const more = peakMemory(pid) - memory;
  for (const socket of lines.splice(0)) socket.destroy();
  await until('that all are gone', async () => (await metric('connections_active')) === 0);
  expect(worst).toBeLessThan(PATIENCE_MS);
  expect(more).toBeLessThan(MORE_MEMORY);
  expect(await metric(counter)).toBeGreaterThan(counted);
});
