import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { anonymousMemory } from '../support/anonymous-memory.ts';
import { loopbackAddress } from '../support/loopback-block.ts';
import { until } from '../support/until.ts';
import { agentFixture, dial, echoApp, httpOver, tokenFile, undo, undoAll } from './sidecar-fixture.ts';
import { startSidecarProcess } from './sidecar-process.ts';

afterEach(undoAll);

const MEBIBYTE = 1024 * 1024;
/** What V8 allows itself in a container of the default 128 MiB. */
const SMALL_HEAP = ['--max-semi-space-size=1', '--max-old-space-size=64'];
const MOST_MEMORY = 110 * MEBIBYTE;
/** Node's parser would make 4 MB of these 36 KB. */
const BURST = 'GET /v1/evidence HTTP/1.1\r\nhost:e\r\n\r\n'.repeat(1000);
/** Node itself refuses these. */
const NO_HOST = 'GET / HTTP/1.1\r\n\r\n'.repeat(1500);
const BURSTS = 5;
const STRANGERS = 208;
/** A quarter is for evidence, another for connections without a token. */
const PLACES = '1024';
const NONCE = Buffer.alloc(32, 7).toString('base64url');
const elsewhere = loopbackAddress();
const theirs = Array.from({ length: 16 }, loopbackAddress);
const EVIDENCE = { ALPNProtocols: ['enclave-evidence/1'] };

test.each([
  ['the evidence protocol, mode tcp', { ENCLAVE_SIDECAR_MODE: 'tcp' }, EVIDENCE],
  [
    'mode http with tokens',
    { ENCLAVE_SIDECAR_MODE: 'http', ENCLAVE_SIDECAR_AUTH: 'jwt' },
    { ALPNProtocols: ['http/1.1'] },
  ],
])(
  '%s: 208 strangers send a thousand requests at once, five times: answered all along, memory bounded',
  async (_, changes, protocol) => {
    const bind = loopbackAddress();
    const app = await echoApp();
    const { child, gone, said } = startSidecarProcess({
      main: resolve('dist/sidecar/main.js'),
      bind,
      agent: await agentFixture(),
      tokenFile: tokenFile(),
      upstream: String(app.port),
      changes: { ENCLAVE_SIDECAR_LOG_LEVEL: 'error', ENCLAVE_SIDECAR_MAX_CONNECTIONS: PLACES, ...changes },
      command: [process.execPath, ...SMALL_HEAP],
    });
    undo.push(async () => {
      child.kill('SIGKILL');
      await gone;
    });
    const ready = async () => (await fetch(`http://${bind}:9464/readyz`).catch(() => undefined))?.ok === true;
    await until('readiness', ready);

    const strangers: TLSSocket[] = [];
    // Fewer at once than handshakes may be under way.
    while (strangers.length < STRANGERS)
      strangers.push(...(await Promise.all(theirs.map((address) => come(bind, address, protocol)))));
    let worst = 0;
    const looking = setInterval(() => {
      if (child.exitCode === null && child.signalCode === null)
        worst = Math.max(worst, anonymousMemory(child.pid ?? 0));
    }, 20);
    undo.push(() => clearInterval(looking));
    let over = false;
    const ask = async (): Promise<number> => {
      const socket = await dial(bind, undefined, { ...EVIDENCE, localAddress: elsewhere });
      return (await httpOver(socket, `/v1/evidence?nonce=${NONCE}`)).status;
    };
    const good = (async () => {
      const statuses = [];
      do statuses.push(await ask());
      while (!over);
      return statuses;
    })();
    good.catch(() => {});
    await Promise.all(strangers.map((socket, i) => flood(socket, i % 2 === 0 ? BURST : NO_HOST)));
    over = true;
    const statuses = await Promise.race([good.then((all): unknown => [...new Set(all)]), gone]);
    expect(statuses, said().slice(-300)).toEqual([200]);
    expect(await ask()).toBe(200);
    expect(worst).toBeLessThan(MOST_MEMORY);
  },
);

/** A stranger’s connection; the test does not mind if the sidecar cuts it. */
function come(host: string, localAddress: string, protocol: ConnectionOptions): Promise<TLSSocket> {
  const options = { host, port: 8443, rejectUnauthorized: false, localAddress, ...protocol };
  return new Promise((done) => {
    const socket: TLSSocket = connect(options, () => done(socket));
    undo.push(() => socket.destroy());
    socket.on('error', () => done(socket));
  });
}

/** Sends and never reads; over when all was taken, the connection is cut, or nothing is taken for a second. */
async function flood(socket: TLSSocket, burst: string): Promise<void> {
  const closed = new Promise<unknown>((done) => socket.once('close', done));
  for (let i = 0; i < BURSTS && socket.writable; i += 1) {
    const sent = new Promise((done) => socket.write(burst, done));
    if ((await Promise.race([sent.then(() => true), closed, sleep(1000)])) !== true) return;
  }
}
