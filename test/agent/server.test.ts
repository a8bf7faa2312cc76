import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { judgePod } from '../../agent/caller/judge-pod.ts';
import { agentMetrics } from '../../agent/metrics.ts';
import { Connections } from '../../agent/serve/connections.ts';
import type { Route } from '../../agent/serve/router.ts';
import { type AgentServer, type ServeOptions, serve } from '../../agent/serve/server.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { liveValue } from '../../platform/run/live.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { until } from '../support/until.ts';
import { rules, storedPod } from './pods.ts';

const NAME = 'agent.test';
const authority = createTestAuthority();
let server: AgentServer | undefined;
afterEach(async () => server?.close());

async function agentWith(
  authenticate: ServeOptions['authenticate'],
  routes: ServeOptions['routes'] = new Map(),
): Promise<number> {
  server = await serve({
    bind: '127.0.0.1',
    port: 0,
    credential: liveValue(authority.issue({ dns: [NAME] })),
    routes,
    connections: new Connections(),
    authenticate,
    log: recordingLogger().log,
    metrics: agentMetrics(recordingMetrics()),
  });
  return server.port;
}

/** Sends everything at once, whatever comes back, and reads until the other side ends. */
function send(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const ca = encodePem('CERTIFICATE', authority.root);
    const socket = connect({ host: '127.0.0.1', port, servername: NAME, ca });
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.once('secureConnect', () => socket.write(text));
    socket.once('error', reject);
    socket.once('close', () => resolve(answer));
  });
}

test('a caller is asked for once a connection, however many requests it sends ahead', async () => {
  const asked: (string | undefined)[] = [];
  const port = await agentWith((authorization) => {
    asked.push(authorization);
    const refusal = {
      ok: false,
      code: 'token-refused',
      message: 'unknown token',
      remedy: 'another',
    } as const;
    return new Promise((resolve) => setImmediate(() => resolve(refusal)));
  });
  const request = (token: number): string =>
    `GET /v1/trust HTTP/1.1\r\nhost: ${NAME}\r\nauthorization: Bearer t${token}\r\n\r\n`;
  const answer = await send(port, Array.from({ length: 200 }, (_, index) => request(index)).join(''));
  expect(answer).toContain('401');
  expect(asked).toEqual(['Bearer t0']);
});

test('what may be otherwise in a moment is asked again on the same connection', async () => {
  let asked = 0;
  const port = await agentWith(async () => {
    asked += 1;
    const [message, remedy] = ['the agent has no trust document yet', 'try again'];
    return asked === 1
      ? { ok: false, code: 'agent-not-ready', message, remedy, retryAfterMs: 500 }
      : { ok: false, code: 'token-refused', message: 'unknown token', remedy: 'another' };
  });
  const ca = encodePem('CERTIFICATE', authority.root);
  const socket = connect({ host: '127.0.0.1', port, servername: NAME, ca });
  const ask = (): Promise<string> =>
    new Promise((resolve) => {
      socket.once('data', (chunk: Buffer) => resolve(chunk.toString()));
      socket.write(`GET /v1/trust HTTP/1.1\r\nhost: ${NAME}\r\nauthorization: Bearer t\r\n\r\n`);
    });
  expect(await ask()).toContain('503');
  expect(await ask()).toContain('401');
  socket.destroy();
});

test('handshakes that one address leaves hanging keep nobody else out', async () => {
  const port = await agentWith(async () => ({ ok: false, code: 'token-refused', message: 'm', remedy: 'r' }));
  const hanging: Socket[] = [];
  let closed = 0;
  for (let index = 0; index < 40; index += 1) {
    const socket = connectTcp({ host: '127.0.0.1', port, localAddress: '127.44.0.9' });
    socket.on('error', () => {});
    socket.once('close', () => {
      closed += 1;
    });
    hanging.push(socket.resume());
  }
  await until('what is too much is closed', async () => (closed === 8 ? true : undefined));
  expect(await send(port, `GET / HTTP/1.1\r\nhost: ${NAME}\r\n\r\n`)).toContain('401');
  for (const socket of hanging) socket.destroy();
});

test('a handshake that never ends does not hold up the end', async () => {
  const port = await agentWith(async () => ({ ok: false, code: 'token-refused', message: 'm', remedy: 'r' }));
  const hanging = connectTcp({ host: '127.0.0.1', port }).on('error', () => {});
  await once(hanging, 'connect');
  const begun = performance.now();
  await server?.close();
  // The drain is 3 s, a handshake's own limit 10 s.
  expect(performance.now() - begun).toBeLessThan(8_000);
  hanging.destroy();
});

test('what was asked before the pod’s deletion began is not answered after, but for trust documents', async () => {
  const judged = judgePod(storedPod(), rules);
  if (!judged.ok) throw new Error(judged.message);
  const route = (whileTerminating: boolean): Route => ({
    method: 'GET',
    whileTerminating,
    handle: async (_, connection) => {
      connection.caller = { ...connection.caller, terminating: true };
      return { ok: true, value: { status: 204 } };
    },
  });
  const port = await agentWith(
    async () => judged,
    new Map([
      ['/v1/quote', route(false)],
      ['/v1/trust', route(true)],
    ]),
  );
  const get = (path: string, how = '') => `GET ${path} HTTP/1.1\r\nhost: ${NAME}\r\n${how}\r\n`;
  const close = 'connection: close\r\n';
  expect(await send(port, get('/v1/quote') + get('/v1/trust', close))).toMatch(
    /^HTTP\/1.1 409 [\s\S]*"code":"caller-pod-terminating"[\s\S]*HTTP\/1.1 204 /,
  );
  expect(await send(port, get('/v1/trust') + get('/v1/quote', close))).toMatch(
    /^HTTP\/1.1 204 [\s\S]*HTTP\/1.1 409 /,
  );
});
