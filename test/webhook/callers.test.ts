import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type Agent, request } from 'node:https';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { encodePem } from '../../formats/x509/pem.ts';
import { OID_EKU_CLIENT_AUTH, OID_EKU_SERVER_AUTH } from '../../names/oids.ts';
import { liveValue } from '../../platform/run/live.ts';
import { type CallerRules, parseClientRoots, parseTokens } from '../../webhook/callers.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { agentOf, authority, REVIEW, serve } from './serving-fixture.ts';

/** The operator's own authority: signs for the API server and for nobody else. */
const callers = createTestAuthority('callers');
const [CLIENT, SERVER] = [[OID_EKU_CLIENT_AUTH], [OID_EKU_SERVER_AUTH]];
const apiServer = callers.issue({ dns: ['kube-apiserver'], extendedKeyUsage: CLIENT });
const TOKEN = 'a-token-of-at-least-thirty-two-characters';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

async function start(rules: Partial<CallerRules>) {
  const served = await serve({ callers: { clientNames: [], now: () => Date.now(), ...rules } });
  undo.push(() => served.app.close());
  return served;
}
const tokens = (text: string) => {
  const parsed = parseTokens(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return liveValue(parsed.value);
};
const agent = (...args: Parameters<typeof agentOf>) => {
  const made = agentOf(...args);
  undo.push(() => made.destroy());
  return made;
};

const JSON_BODY = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(REVIEW) };

function free(agent: Agent): Socket {
  const [socket] = Object.values(agent.freeSockets).flat();
  if (socket === undefined) throw new TypeError('the agent keeps no connection');
  return socket;
}

describe('a client certificate', () => {
  const clientRoots = () => liveValue<readonly Uint8Array[]>([callers.root]);

  test('of the roots, with a name that is listed, and made for clients, is let in', async () => {
    const { call, rejected } = await start({
      clientRoots: clientRoots(),
      clientNames: ['other', 'kube-apiserver'],
    });
    expect(await call({ agent: agent(undefined, apiServer) })).toMatchObject({
      status: 200,
      body: { response: { allowed: true } },
    });
    const foreign = createTestAuthority('callers');
    for (const [credential, status, code, detail] of [
      [undefined, 401, 'caller-unknown', 'no client certificate'],
      [
        foreign.issue({ dns: ['kube-apiserver'], extendedKeyUsage: CLIENT }),
        401,
        'caller-unknown',
        'not trusted',
      ],
      // A component's own certificate is no API server's.
      [authority.issue({ dns: ['kube-apiserver'] }), 401, 'caller-unknown', 'not trusted'],
      [
        callers.issue({ dns: ['kube-apiserver'], extendedKeyUsage: SERVER }),
        401,
        'caller-unknown',
        'not trusted',
      ],
      [
        callers.issue({ dns: ['kube-apiserver'], extendedKeyUsage: CLIENT, notBefore: 1, notAfter: 2 }),
        401,
        'caller-unknown',
        'CERT_HAS_EXPIRED',
      ],
      [
        callers.issue({ dns: ['kube-apiserver.x'], extendedKeyUsage: CLIENT }),
        403,
        'caller-foreign',
        '"kube-apiserver.x"',
      ],
      [
        callers.issue({ uri: ['DNS:kube-apiserver'], extendedKeyUsage: CLIENT }),
        403,
        'caller-foreign',
        'is of []',
      ],
    ] as const) {
      const before = rejected(code);
      const answer = await call({ agent: agent(undefined, credential) });
      expect(answer, detail).toMatchObject({
        status,
        headers: { 'content-type': expect.stringContaining('application/problem+json'), connection: 'close' },
        body: {
          code,
          detail: expect.stringContaining(detail),
          remedy: expect.stringContaining('docs/injection.md'),
        },
      });
      expect(rejected(code)).toBe(before + 1);
    }
  });

  test('ends while its connection stands: so does its right', async () => {
    let now = Date.now();
    const { call } = await start({ clientRoots: clientRoots(), now: () => now });
    const kept = agent(undefined, apiServer, { keepAlive: true, maxSockets: 1 });
    expect((await call({ agent: kept })).status).toBe(200);
    now = apiServer.notAfter * 1000;
    expect(await call({ agent: kept })).toMatchObject({ status: 401, body: { code: 'caller-unknown' } });
  });

  test('of roots that are no longer those: standing connections are sent to connect again', async () => {
    const next = createTestAuthority('callers');
    const roots = clientRoots();
    const { app, call, port, rejected } = await start({ clientRoots: roots });
    const [idle, busy, both] = [1, 2, 3].map(() =>
      agent(undefined, apiServer, { keepAlive: true, maxSockets: 1 }),
    );
    if (!idle || !busy || !both) throw new TypeError('three agents');
    for (const each of [idle, busy, both]) expect((await call({ agent: each })).status).toBe(200);
    // While one root replaces the other, connections by either go on.
    const standing = free(both);
    roots.set([next.root, callers.root]);
    expect((await call({ agent: both })).status).toBe(200);
    expect(free(both)).toBe(standing);
    // On its way while the roots change: it is answered.
    const began = once(app.server, 'request');
    const open = request({
      ...{ host: '127.0.0.1', port, path: '/mutate', agent: busy, method: 'POST', headers: JSON_BODY },
    });
    open.write(REVIEW.slice(0, 100));
    await began;
    roots.set([next.root]);
    open.end(REVIEW.slice(100));
    const [answer] = (await once(open, 'response')) as [IncomingMessage];
    await once(answer.resume(), 'end');
    expect(answer.statusCode).toBe(200);
    // What comes next is answered so that an API server calls again on a new connection, which is judged by the new roots.
    for (const each of [idle, busy, both])
      expect(await call({ agent: each })).toMatchObject({
        status: 503,
        headers: { 'retry-after': '0', connection: 'close' },
        body: { code: 'connection-outdated' },
      });
    for (const each of [idle, busy]) expect(await call({ agent: each })).toMatchObject({ status: 401 });
    const renewed = next.issue({ dns: ['kube-apiserver'], extendedKeyUsage: CLIENT });
    expect((await call({ agent: agent(undefined, renewed) })).status).toBe(200);
    expect(rejected('connection-outdated')).toBe(3);
  });
});

describe('a bearer token', () => {
  test('of the file, and no other; the file may change', async () => {
    const live = tokens(`${TOKEN}\n`);
    const { call, lines } = await start({ tokens: live });
    const status = async (authorization?: string) =>
      (await call(authorization === undefined ? {} : { headers: { authorization } })).status;
    expect(await status(`Bearer ${TOKEN}`)).toBe(200);
    for (const wrong of [
      undefined,
      '',
      'Bearer',
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      `Basic ${TOKEN}`,
      TOKEN,
    ])
      expect(await status(wrong), wrong).toBe(401);
    const next = `${TOKEN}-2`;
    live.set(tokens(`${TOKEN}\n${next}`).current());
    expect([await status(`Bearer ${TOKEN}`), await status(`Bearer ${next}`)]).toEqual([200, 200]);
    live.set(tokens(next).current());
    expect([await status(`Bearer ${TOKEN}`), await status(`Bearer ${next}`)]).toEqual([401, 200]);
    expect(lines.join()).not.toContain(TOKEN);
  });

  test('does not replace a certificate where both are configured, nor a certificate the token', async () => {
    const { call } = await start({
      tokens: tokens(TOKEN),
      clientRoots: liveValue<readonly Uint8Array[]>([callers.root]),
    });
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect((await call({ headers })).status).toBe(401);
    expect((await call({ agent: agent(undefined, apiServer) })).status).toBe(401);
    expect((await call({ agent: agent(undefined, apiServer), headers })).status).toBe(200);
  });

  test('files that name nobody, or hold what can be guessed, are no configuration', () => {
    for (const text of ['', '\n \n', 'short', `${TOKEN}\nshort`])
      expect(parseTokens(text).ok, text).toBe(false);
    for (const text of ['', 'x', encodePem('CERTIFICATE REQUEST', callers.root)])
      expect(parseClientRoots(text).ok, text).toBe(false);
    expect(parseClientRoots(encodePem('CERTIFICATE', callers.root))).toMatchObject({ ok: true });
  });
});
