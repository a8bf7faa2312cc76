import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { agentDnsName } from '../../names/components.ts';
import { EVIDENCE_ALPN } from '../../names/wire.ts';
import { loopbackAddress } from '../support/loopback-block.ts';
import { until } from '../support/until.ts';
import {
  agentFixture,
  dial,
  drainOf,
  echoApp,
  httpOver,
  startSidecar,
  undo,
  undoAll,
} from './sidecar-fixture.ts';
import { owner, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

const NONCE = Buffer.alloc(16, 7).toString('base64url');
const EVIDENCE = { ALPNProtocols: [EVIDENCE_ALPN] };
/** A client that does not close its side when the other has ended. */
const STAYS: object = { allowHalfOpen: true };
const JSON_PLEASE = 'accept: application/json\r\n';

function sha256(bytes: Uint8Array | undefined): string {
  return createHash('sha256')
    .update(bytes ?? '')
    .digest('hex');
}

/** What a bundle in JSON says that was quoted. */
function statementOf(body: string): { nonce: string; certificate: string } {
  return JSON.parse(Buffer.from(JSON.parse(body).statement, 'base64').toString());
}

describe('life', () => {
  test('the port opens after the first quote; the agent sees the pod’s address and its token', async () => {
    const agent = await agentFixture();
    const app = await echoApp();
    agent.failing.add('/v1/quote');
    const sidecar = startSidecar(agent, { upstream: String(app.port) });
    await until('two quotes', () => agent.calls.filter(({ path }) => path === '/v1/quote').length >= 2);
    await expect(dial(sidecar.bind)).rejects.toThrow('ECONNREFUSED');
    expect(sidecar.health.ready().lines.join()).toContain('certificate: no certificate yet');
    agent.failing.clear();
    await until('readiness', () => sidecar.health.ready().ok);
    expect(new Set(agent.calls.map(({ peer }) => peer))).toEqual(new Set([sidecar.bind]));
    expect(new Set(agent.calls.map(({ authorization }) => authorization))).toEqual(
      new Set(['Bearer the-token']),
    );
    expect(agent.calls.findLast(({ path }) => path === '/v1/quote')?.certificate).toBe(true);
  });

  test('readiness waits for the app, and says so', async () => {
    const agent = await agentFixture();
    const { bind, health } = startSidecar(agent, { upstream: 'unix:/nonexistent/app.sock' });
    await until('certificate', () => health.ready().lines.join().includes('certificate: ok'));
    await dial(bind);
    expect(health.ready().ok).toBe(false);
    expect(health.ready().lines.join()).toContain('upstream: the app does not take connections');
  });

  test('an agent of another node, or a component that is none, gets no token', async () => {
    for (const name of [agentDnsName('node-2'), 'front.enclave-licensing.internal']) {
      const agent = await agentFixture(name);
      const sidecar = startSidecar(agent, { upstream: '8080' });
      await until('refusal', () => sidecar.logged('not the agent of node node-1'));
      expect(agent.calls).toEqual([]);
    }
  });

  test('renewal: a new key each time, certificate and evidence change together, old connections go on', async () => {
    const agent = await agentFixture();
    const app = await echoApp();
    agent.lifetime = 3;
    const sidecar = startSidecar(agent, { upstream: String(app.port) });
    await until('readiness', () => sidecar.health.ready().ok);
    const data = await dial(sidecar.bind, userCredential(owner));
    const old = await dial(sidecar.bind, undefined, EVIDENCE);
    const first = sha256(old.getPeerX509Certificate()?.raw);
    await until('a second certificate', () => agent.issued.length >= 2);
    await until('the new certificate', async () => {
      const socket = await dial(sidecar.bind, undefined, EVIDENCE);
      const live = socket.getPeerX509Certificate();
      const answer = await httpOver(socket, `/v1/evidence?nonce=${NONCE}`, JSON_PLEASE);
      expect(statementOf(answer.body).certificate).toBe(sha256(live?.raw));
      return sha256(live?.raw) !== first;
    });
    const answer = await httpOver(old, `/v1/evidence?nonce=${NONCE}`, JSON_PLEASE);
    expect(statementOf(answer.body).certificate).toBe(first);
    data.write('still here');
    await expect(
      new Promise((resolve) => data.once('data', (chunk) => resolve(String(chunk)))),
    ).resolves.toBe('still here');
  });

  test('without a new certificate it serves until the old one ends, then takes nobody and says why', async () => {
    const agent = await agentFixture();
    const app = await echoApp();
    agent.lifetime = 2;
    const sidecar = startSidecar(agent, { upstream: String(app.port) });
    await until('readiness', () => sidecar.health.ready().ok);
    agent.failing.add('/v1/prove');
    await until('a failed renewal', () => sidecar.logged('no new certificate yet'));
    expect(sidecar.health.ready().ok).toBe(true);
    await until('expiry', () => !sidecar.health.ready().ok);
    expect(sidecar.health.ready().lines.join()).toContain('certificate has expired');
    await expect(dial(sidecar.bind)).rejects.toThrow('ECONNREFUSED');
    agent.failing.clear();
    agent.lifetime = 600;
    await until('recovery', () => sidecar.health.ready().ok);
    await dial(sidecar.bind);
  });

  test('a client that hammers during rotations never sees certificate and evidence of two keys', async () => {
    const agent = await agentFixture();
    const app = await echoApp();
    agent.lifetime = 2;
    const { bind, health } = startSidecar(agent, { upstream: String(app.port) });
    await until('readiness', () => health.ready().ok);
    const seen = new Set<string>();
    let checked = 0;
    const ask = async (socket: TLSSocket) => {
      const answer = await httpOver(socket, `/v1/evidence?nonce=${NONCE}`, JSON_PLEASE);
      if (answer.status === 429) return;
      expect(answer.status).toBe(200);
      checked += 1;
      const live = socket.getPeerX509Certificate()?.raw;
      expect(statementOf(answer.body).certificate).toBe(sha256(live));
      expect(JSON.parse(answer.body).certificateChain[0]).toBe(live?.toString('base64'));
      seen.add(sha256(live));
    };
    // Held from before the first rotation: by then more certificates have been replaced than the listener remembers.
    const elsewhere = connect({ host: bind, port: 8443, localAddress: loopbackAddress() });
    const oldest = await dial(bind, undefined, { ...EVIDENCE, socket: elsewhere });
    // Evidence connections that ask nothing are not kept.
    const asking = setInterval(
      () => oldest.resume().write('GET /v1/access-decision HTTP/1.1\r\nhost: e\r\n\r\n'),
      1000,
    );
    undo.push(() => clearInterval(asking));
    const hammer = async () => {
      while (seen.size < 7) {
        const socket = await dial(bind, undefined, EVIDENCE).catch((error: Error) => {
          // On a busy machine two seconds may be over before the client has looked.
          if (!error.message.includes('has expired')) throw error;
        });
        if (socket) await ask(socket);
        socket?.destroy();
      }
    };
    await Promise.all([hammer(), hammer(), hammer()]);
    const before = checked;
    clearInterval(asking);
    await ask(oldest);
    expect(checked).toBe(before + 1);
    expect(checked).toBeGreaterThan(60);
    expect(agent.issued.length).toBeGreaterThanOrEqual(7);
    expect(new Set(agent.keys).size).toBe(agent.issued.length);
  });

  test('an agent that goes away in the middle of a renewal, and comes back: the renewal is made', async () => {
    const agent = await agentFixture();
    const app = await echoApp();
    agent.lifetime = 3;
    const sidecar = startSidecar(agent, { upstream: String(app.port) });
    await until('readiness', () => sidecar.health.ready().ok);
    // Its connections are cut when it has proved and is asked to certify.
    agent.cutting.add('/v1/certify');
    await until('a renewal that broke', () => sidecar.logged('agent-unreachable'));
    agent.cutting.clear();
    await until('the renewal', () => agent.issued.length >= 2);
    expect(sidecar.health.ready().ok).toBe(true);
    await dial(sidecar.bind);
  });

  test('draining: no new connection, an open one may finish', async () => {
    const agent = await agentFixture();
    const app = await echoApp();
    const sidecar = startSidecar(agent, { upstream: String(app.port) });
    await until('readiness', () => sidecar.health.ready().ok);
    const data = await dial(sidecar.bind, userCredential(owner));
    const answer = drainOf(data);
    await until('the app is dialled', () => app.dialled > 1);
    const stopped = sidecar.stop();
    await expect(dial(sidecar.bind)).rejects.toThrow(/ECONNREFUSED|ECONNRESET/);
    data.end('the last word');
    expect(await answer).toBe('the last word');
    await stopped;
  });

  test('draining: what the app said reaches the client, evidence under way is given, and a client that stays is not waited for', async () => {
    const agent = await agentFixture();
    const big = 'x'.repeat(8_000_000);
    const sockets: Socket[] = [];
    const app = await echoApp((socket) => void sockets.push(socket.resume()));
    const sidecar = startSidecar(agent, { upstream: String(app.port), shutdownTimeout: 30_000 });
    await until('readiness', () => sidecar.health.ready().ok);
    sockets.splice(0);
    const data = await dial(sidecar.bind, userCredential(owner), { ...STAYS });
    await until('the app is dialled', () => sockets.length > 0);
    agent.slow = 300;
    const asked = httpOver(await dial(sidecar.bind, undefined, EVIDENCE), `/v1/evidence?nonce=${NONCE}`);
    await until('the question', () => agent.calls.filter(({ path }) => path === '/v1/quote').length >= 2);
    // The app ends as its container does: the last word, and gone. Then the kubelet tells the sidecar.
    sockets[0]?.end(big);
    const begun = performance.now();
    const stopped = sidecar.stop();
    expect((await drainOf(data)).length).toBe(big.length);
    expect((await asked).status).toBe(200);
    await stopped;
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  test('draining in the middle of a renewal: the port stays shut', async () => {
    const agent = await agentFixture();
    const app = await echoApp();
    agent.slow = 500;
    const sidecar = startSidecar(agent, { upstream: String(app.port) });
    await until('the first quote', () => agent.calls.some(({ path }) => path === '/v1/quote'));
    await sidecar.stop();
    await expect(dial(sidecar.bind)).rejects.toThrow('ECONNREFUSED');
  });
});
