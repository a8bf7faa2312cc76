import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { agentDnsName } from '../../names/components.ts';
import { EVIDENCE_ALPN } from '../../names/wire.ts';
import {
  agentFixture,
  dial,
  drainOf,
  echoApp,
  httpOver,
  startSidecar,
  undoAll,
  until,
} from './sidecar-fixture.ts';
import { owner, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

const NONCE = Buffer.alloc(16, 7).toString('base64url');
const EVIDENCE = { ALPNProtocols: [EVIDENCE_ALPN] };
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
    await until(() => agent.calls.filter(({ path }) => path === '/v1/quote').length >= 2, 'two quotes');
    await expect(dial(sidecar.bind)).rejects.toThrow('ECONNREFUSED');
    expect(sidecar.health.ready().lines.join()).toContain('certificate: no certificate yet');
    agent.failing.clear();
    await until(() => sidecar.health.ready().ok, 'readiness');
    expect(new Set(agent.calls.map(({ peer }) => peer))).toEqual(new Set([sidecar.bind]));
    expect(new Set(agent.calls.map(({ authorization }) => authorization))).toEqual(
      new Set(['Bearer the-token']),
    );
    expect(agent.calls.findLast(({ path }) => path === '/v1/quote')?.certificate).toBe(true);
  });

  test('readiness waits for the app, and says so', async () => {
    const agent = await agentFixture();
    const { bind, health } = startSidecar(agent, { upstream: 'unix:/nonexistent/app.sock' });
    await until(() => health.ready().lines.join().includes('certificate: ok'), 'certificate');
    await dial(bind);
    expect(health.ready().ok).toBe(false);
    expect(health.ready().lines.join()).toContain('upstream: the app does not take connections');
  });

  test('an agent of another node, or a component that is none, gets no token', async () => {
    for (const name of [agentDnsName('node-2'), 'front.enclave-licensing.internal']) {
      const agent = await agentFixture(name);
      const sidecar = startSidecar(agent, { upstream: '8080' });
      await until(() => sidecar.logged('not the agent of node node-1'), 'refusal');
      expect(agent.calls).toEqual([]);
    }
  });

  test('renewal: a new key each time, certificate and evidence change together, old connections go on', async () => {
    const agent = await agentFixture();
    const app = await echoApp();
    agent.lifetime = 3;
    const sidecar = startSidecar(agent, { upstream: String(app.port) });
    await until(() => sidecar.health.ready().ok, 'readiness');
    const data = await dial(sidecar.bind, userCredential(owner));
    const old = await dial(sidecar.bind, undefined, EVIDENCE);
    const first = sha256(old.getPeerX509Certificate()?.raw);
    await until(() => agent.issued.length >= 2, 'a second certificate');
    await until(async () => {
      const socket = await dial(sidecar.bind, undefined, EVIDENCE);
      const live = socket.getPeerX509Certificate();
      const answer = await httpOver(socket, `/v1/evidence?nonce=${NONCE}`, JSON_PLEASE);
      expect(statementOf(answer.body).certificate).toBe(sha256(live?.raw));
      return sha256(live?.raw) !== first;
    }, 'the new certificate');
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
    await until(() => sidecar.health.ready().ok, 'readiness');
    agent.failing.add('/v1/prove');
    await until(() => sidecar.logged('no new certificate yet'), 'a failed renewal');
    expect(sidecar.health.ready().ok).toBe(true);
    await until(() => !sidecar.health.ready().ok, 'expiry');
    expect(sidecar.health.ready().lines.join()).toContain('certificate has expired');
    await expect(dial(sidecar.bind)).rejects.toThrow('ECONNREFUSED');
    agent.failing.clear();
    agent.lifetime = 600;
    await until(() => sidecar.health.ready().ok, 'recovery');
    await dial(sidecar.bind);
  });

  test('draining: no new connection, an open one may finish', async () => {
    const agent = await agentFixture();
    const app = await echoApp();
    const sidecar = startSidecar(agent, { upstream: String(app.port) });
    await until(() => sidecar.health.ready().ok, 'readiness');
    const data = await dial(sidecar.bind, userCredential(owner));
    const answer = drainOf(data);
    await until(() => app.dialled > 1, 'the app is dialled');
    const stopped = sidecar.stop();
    await expect(dial(sidecar.bind)).rejects.toThrow(/ECONNREFUSED|ECONNRESET/);
    data.end('the last word');
    expect(await answer).toBe('the last word');
    await stopped;
  });
});
