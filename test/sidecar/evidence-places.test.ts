import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
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

const EVIDENCE = { ALPNProtocols: [EVIDENCE_ALPN] };
const QUESTION = `/v1/evidence?nonce=${Buffer.alloc(32, 7).toString('base64url')}`;
/** As many places as in the default container. */
const PLACES = 142;
const OF_EVIDENCE = 35;
const OF_ONE_ADDRESS = 16;

/** A sidecar, and whom it sees behind one proxy. */
async function enclave(maxConnections = PLACES) {
  const agent = await agentFixture();
  const app = await echoApp();
  const { bind, health, metrics } = startSidecar(agent, { upstream: String(app.port), maxConnections });
  await until('readiness', () => health.ready().ok);
  const proxy = loopbackAddress();
  const come = (localAddress = proxy) => dial(bind, undefined, { ...EVIDENCE, localAddress });
  const ask = async () => (await httpOver(await come(), QUESTION)).status;
  const outcomes = (outcome: string) =>
    metrics.values.get(`evidence_requests_total{outcome="${outcome}"}`) ?? 0;
  const echo = async () => {
    const socket = await dial(bind, userCredential(owner), { localAddress: loopbackAddress() });
    const answer = drainOf(socket);
    socket.end('served');
    return answer;
  };
  return { agent, bind, metrics, come, ask, outcomes, echo };
}

const gone = (socket: TLSSocket) => socket.destroyed || socket.readableEnded;
/** Evidence connections that say nothing, one after the other. */
async function silent(count: number, come: () => Promise<TLSSocket>): Promise<TLSSocket[]> {
  const sockets: TLSSocket[] = [];
  while (sockets.length < count) sockets.push((await come()).resume());
  return sockets;
}

test('silent strangers at the address of a proxy keep nobody from evidence: the one silent for longest goes', async () => {
  const { come, ask, outcomes } = await enclave();
  const strangers = await silent(OF_ONE_ADDRESS, come);
  for (let i = 1; i <= 3; i += 1) {
    expect(await ask()).toBe(200);
    await until('its place', () => strangers.filter(gone).length === 1);
    expect(strangers.findIndex((socket) => !gone(socket))).toBe(1);
  }
  expect([outcomes('evicted'), outcomes('served'), outcomes('limited')]).toEqual([1, 3, 0]);
});

test('who has asked since is not the one that has been silent for longest', async () => {
  const { come, outcomes } = await enclave();
  const [first, second] = await silent(OF_ONE_ADDRESS, come);
  first?.write('GET /v1/access-decision HTTP/1.1\r\nhost: e\r\n\r\n');
  await until('an answer', () => outcomes('decision') === 1);
  await sleep(100);
  await come();
  await until('a place', () => second && gone(second));
  expect(first && gone(first)).toBe(false);
});

test('who is being answered stays, and what came after it goes; only when all are, the one that has been for longest', async () => {
  const { agent, come, outcomes } = await enclave();
  agent.slow = 700;
  const first = await come();
  const answer = httpOver(first, QUESTION);
  await silent(OF_ONE_ADDRESS + 4, come);
  await until('places', () => outcomes('evicted') === 5);
  expect((await answer).status).toBe(200);
  const asked = await Promise.all(
    (await silent(OF_ONE_ADDRESS, come)).map((socket) => ({ socket, answer: httpOver(socket, QUESTION) })),
  );
  await sleep(300);
  const evicted = outcomes('evicted');
  expect((await httpOver(await come(), '/v1/access-decision')).status).toBe(200);
  expect(outcomes('evicted')).toBe(evicted + 1);
  const statuses = (await Promise.all(asked.map((each) => each.answer))).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200).length).toBe(OF_ONE_ADDRESS - 1);
});

test('evidence has a quarter of the port’s places: data connections have theirs whoever asks', async () => {
  const { come, echo, ask, outcomes, metrics } = await enclave();
  const strangers: TLSSocket[] = [];
  for (let i = 0; i < 9; i += 1) {
    const from = loopbackAddress();
    strangers.push(...(await silent(OF_ONE_ADDRESS, () => come(from))));
  }
  await until('places', () => strangers.filter((socket) => !gone(socket)).length === OF_EVIDENCE);
  expect(outcomes('evicted')).toBe(strangers.length - OF_EVIDENCE);
  expect([await echo(), await ask()]).toEqual(['served', 200]);
  expect(metrics.values.get('connections_dropped_total{}')).toBeUndefined();
});

test('strangers who are refused and do not close hold a quarter of the places', async () => {
  const { bind, echo, metrics } = await enclave(32);
  const strangers: TLSSocket[] = [];
  for (let i = 0; i < 60; i += 1)
    strangers.push(
      await dial(bind, undefined, { allowHalfOpen: true, localAddress: loopbackAddress() } as object),
    );
  expect(await echo()).toBe('served');
  expect(metrics.values.get('connections_dropped_total{}')).toBeUndefined();
  expect(metrics.values.get('refusals_total{code="certificate-missing"}')).toBe(60);
});

test('a connection is ended that asks nothing for five seconds, or not to the end, before or after an answer', async () => {
  const { come, outcomes } = await enclave();
  const [mute, cut, after, steady] = [await come(), await come(), await come(), await come()];
  for (const socket of [mute, cut, after, steady]) socket.resume();
  const dribble = setInterval(() => cut.write('x'), 200);
  const asking = setInterval(() => steady.write('GET /v1/access-decision HTTP/1.1\r\nhost: e\r\n\r\n'), 1000);
  undo.push(() => {
    clearInterval(dribble);
    clearInterval(asking);
  });
  cut.write('GET / HTTP/1.1\r\nslow: ');
  await sleep(1500);
  after.write('GET /v1/access-decision HTTP/1.1\r\nhost: e\r\n\r\n');
  await sleep(2500);
  expect([mute, cut, after, steady].map(gone)).toEqual([false, false, false, false]);
  await until('the end of two', () => gone(mute) && gone(cut), 2500);
  expect([after, steady].map(gone)).toEqual([false, false]);
  await until('the end of a third', () => gone(after), 2500);
  await sleep(1000);
  expect(gone(steady)).toBe(false);
  expect(outcomes('silent')).toBe(3);
});

test.each(['/x', '/v1/evidence?nonce=no', QUESTION])(
  'a connection that floods %s takes its own budget, not that of its address',
  async (path) => {
    const { come, ask, outcomes } = await enclave();
    const stranger = (await come()).resume();
    const flooding = setInterval(
      () => stranger.write(`GET ${path} HTTP/1.1\r\nhost: e\r\n\r\n`.repeat(5)),
      20,
    );
    undo.push(() => clearInterval(flooding));
    await sleep(2000);
    for (let i = 0; i < 12; i += 1) expect(await ask()).toBe(200);
    expect(gone(stranger)).toBe(false);
    expect(outcomes('limited')).toBeGreaterThan(30);
  },
);

test('one connection has a quarter of what its address may be sent', async () => {
  const { agent, come, ask } = await enclave();
  agent.logBytes = 130_000;
  const stranger = await come();
  const answers = drainOf(stranger);
  stranger.write(
    `${`GET ${QUESTION} HTTP/1.1\r\nhost: e\r\naccept: application/json\r\n\r\n`.repeat(15)}GET /x HTTP/1.1\r\nhost: e\r\nconnection: close\r\n\r\n`,
  );
  const statuses = (await answers).match(/(?<=HTTP\/1\.1 )\d+/g) ?? [];
  expect(statuses.filter((status) => status === '200').length).toBeGreaterThan(10);
  expect(statuses).toContain('429');
  expect(await ask()).toBe(200);
});

test('requests that make no quote, from however many connections, leave the address its quotes', async () => {
  const { come, ask } = await enclave();
  const wrong = `${'GET /x HTTP/1.1\r\nhost: e\r\n\r\n'.repeat(11)}POST ${QUESTION} HTTP/1.1\r\nhost: e\r\nconnection: close\r\n\r\n`;
  for (let i = 0; i < 10; i += 1) {
    const socket = await come();
    const answers = drainOf(socket);
    socket.write(wrong);
    expect((await answers).match(/HTTP\/1\.1 40[45]/g)?.length).toBe(12);
  }
  expect(await ask()).toBe(200);
});

test('an address has its quotes in all: other connections do not add to them', async () => {
  const { come, ask } = await enclave();
  const statuses: (string | undefined)[] = [];
  const many = Array.from({ length: 8 }, async () => {
    const socket = await come();
    const answers = drainOf(socket);
    socket.write(
      `${`GET ${QUESTION} HTTP/1.1\r\nhost: e\r\n\r\n`.repeat(15)}GET /x HTTP/1.1\r\nhost: e\r\nconnection: close\r\n\r\n`,
    );
    statuses.push(...((await answers).match(/(?<=HTTP\/1\.1 )\d+/g) ?? []));
  });
  await Promise.all(many);
  expect(statuses.filter((status) => status === '429').length).toBeGreaterThan(10);
  expect(await come(loopbackAddress()).then((socket) => httpOver(socket, QUESTION))).toMatchObject({
    status: 200,
  });
  await until('the budget fills again', async () => (await ask()) === 200);
});
