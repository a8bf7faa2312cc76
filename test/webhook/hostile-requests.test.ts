import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { STATUS } from '../../webhook/code.ts';
import { BODY_LIMIT, deadlineOf } from '../../webhook/read-body.ts';
import { APP_IMAGE, enclavePod } from '../injection/support.ts';
import { cpuMs } from '../support/cpu-ms.ts';
import { until } from '../support/until.ts';
import { closed, head, rawConnection } from './raw-connection.ts';
import { REVIEW, reviewOf, serve } from './serving-fixture.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

async function start(options: Parameters<typeof serve>[0] = {}) {
  const served = await serve(options);
  undo.push(() => served.app.close());
  return served;
}

async function connection(port: number) {
  const made = await rawConnection(port);
  undo.push(() => made.socket.destroy());
  return made;
}

test('every reason for which there is no review stands in the page for operators', () => {
  const page = readFileSync('docs/injection.md', 'utf8');
  expect(Object.keys(STATUS).filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
});

const LONG_NAME = {
  ...enclavePod({}, {}, { 'enclave-licensing.dev/inject': 'no' }).metadata,
  name: '-eyJAAAAA'.repeat(15_000),
};

describe('what is no review', () => {
  test('is answered with a reason, and counted', async () => {
    const { call, rejected } = await start();
    const json = { 'content-type': 'application/json' };
    for (const [request, status, code] of [
      [{ body: '{' }, 400, 'body-not-json'],
      [{ body: '' }, 400, 'body-not-json'],
      [{ body: Buffer.from([0xff, 0xfe, 0x7b]) }, 400, 'body-not-json'],
      [{ body: '[]' }, 400, 'body-not-a-review'],
      [{ body: REVIEW.replace('admission.k8s.io/v1', 'admission.k8s.io/v1beta1') }, 400, 'body-not-a-review'],
      [{ body: REVIEW.replace('"pods"', '"secrets"') }, 400, 'body-not-a-review'],
      [{ body: REVIEW.replace('"uid":"u-1"', '"uid":7') }, 400, 'body-not-a-review'],
      [{ headers: { 'content-type': 'application/yaml' } }, 415, 'content-type'],
      [{ headers: json, path: '/' }, 404, 'no-such-path'],
      [{ headers: json, path: '/mutate/x' }, 404, 'no-such-path'],
    ] as const) {
      const before = rejected(code);
      const answer = await call(request);
      expect(answer, code).toMatchObject({ status, body: { status, code, detail: expect.any(String) } });
      expect(rejected(code)).toBe(before + 1);
    }
    expect((await call()).status).toBe(200);
  });

  test.each([
    [
      'announced',
      async (port: number) => {
        const each = await connection(port);
        each.socket.write(head(BODY_LIMIT + 1));
        return each;
      },
    ],
    [
      'sent in chunks without a length',
      async (port: number) => {
        const each = await connection(port);
        each.socket.write(head('transfer-encoding: chunked'));
        const chunk = Buffer.alloc(64 * 1024, 0x20);
        const framed = Buffer.concat([Buffer.from('10000\r\n'), chunk, Buffer.from('\r\n')]);
        for (let sent = 0; sent <= BODY_LIMIT; sent += chunk.length) each.socket.write(framed);
        return each;
      },
    ],
  ])('a body over 3 MiB, %s, is refused and its connection ended', async (_how, send) => {
    const { port, rejected, call } = await start();
    const { said, ended } = await send(port);
    await ended;
    expect(rejected('body-too-large')).toBe(1);
    expect(said()).toMatch(/^HTTP\/1.1 413 |^$/);
    const most = enclavePod({ large: 'x'.repeat(BODY_LIMIT - 2000) });
    expect(await call({ body: reviewOf(most) })).toMatchObject({
      status: 200,
      body: { response: { allowed: true } },
    });
  });

  test('a body that comes slower than its caller waits is ended; others are not affected', async () => {
    const { port, rejected, call } = await start();
    const slow = await connection(port);
    slow.socket.write(`${head(1000, '/mutate?timeout=300ms')}{`);
    const cut = await connection(port);
    cut.socket.write(`${head(1000)}{`);
    const before = performance.now();
    expect((await call()).status).toBe(200);
    await slow.ended;
    expect(performance.now() - before).toBeLessThan(8_000);
    expect(slow.said()).toMatch(/^HTTP\/1.1 408 .*"code":"body-too-slow"/s);
    expect(rejected('body-too-slow')).toBe(1);
    cut.socket.destroy();
    await until('the cut body is counted', async () => rejected('body-cut-off') === 1);
    expect([
      deadlineOf('/mutate?timeout=7s'),
      deadlineOf('/mutate'),
      deadlineOf('/m?timeout=9999s'),
      deadlineOf('/m?timeout=1m'),
    ]).toEqual([7_000, 10_000, 30_000, 10_000]);
  });

  test('headers over 8 KB, no HTTP and silence end the connection, counted', async () => {
    const { port, rejected, call } = await start({ silenceMs: 2000 });
    const [large, other, silent] = [await connection(port), await connection(port), await connection(port)];
    large.socket.write(`POST /mutate HTTP/1.1\r\nx: ${'y'.repeat(10_000)}\r\n\r\n`);
    other.socket.write('\x16\x03\x01 nonsense\r\n\r\n');
    const plain = connectTcp(port, '127.0.0.1');
    plain.on('error', () => undefined).write('GET / HTTP/1.1\r\n\r\n');
    await Promise.all([large.ended, other.ended, closed(plain)]);
    expect(large.said()).toContain('HTTP/1.1 431 ');
    await until('all are counted', async () =>
      ['headers-too-large', 'not-http', 'handshake-failed'].every((code) => rejected(code) === 1),
    );
    await silent.ended;
    expect(rejected('headers-too-slow')).toBe(1);
    expect((await call()).status).toBe(200);
  });
});

describe('hostile JSON', () => {
  test('of any depth, width and names neither ends the process nor changes a prototype', async () => {
    const { call } = await start();
    const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    const pod = JSON.stringify(enclavePod());
    const inPod = (member: string) =>
      reviewOf({}).replace('"object":{}', `"object":${pod.replace('{', `{${member},`)}`);
    const evil = '"__proto__":{"allowed":true,"polluted":1},"constructor":{"prototype":{"polluted":1}}';
    const spec = (member: string) => REVIEW.replace('"spec":{', `"spec":{${member},`);
    for (const body of [
      deep(1_000_000),
      `{"a":`.repeat(200_000),
      `[${'0,'.repeat(1_000_000)}0]`,
      inPod(`"unknown":${deep(100_000)}`),
      spec(`"containers":${deep(100_000)},"volumes":${deep(1_000)}`),
      spec(`"initContainers":[{"name":"a"},{"name":"enclave-sidecar","env":${deep(50_000)}}]`),
      spec(`"initContainers":[${'{},'.repeat(200_000)}{}]`),
      inPod(evil),
      spec(evil),
      REVIEW.replace('"annotations":{', `"annotations":{${evil},`),
      REVIEW.replace('"labels":{', '"labels":{"__proto__":{"enclave-licensing.dev/enclave":"x"},'),
      `{${evil},${REVIEW.slice(1)}`,
      ...['null', '7', '"x"', '[]', '[null]', '{"containers":null}', '{"containers":[null,7]}'].map((odd) =>
        REVIEW.replace(/"spec":.*?\]\}/, `"spec":${odd}`),
      ),
      ...[
        'null',
        '7',
        '[]',
        '{"labels":7}',
        '{"labels":{"enclave-licensing.dev/inject":7}}',
        '{"annotations":[]}',
      ].map((odd) => REVIEW.replace(/"metadata":.*?\}\}/, `"metadata":${odd}`)),
    ])
      for (const path of ['/mutate', '/validate']) {
        const answer = await call({ path, body }).catch((error: Error) => ({ status: error.message }));
        expect([200, 400, 500], body.slice(0, 80)).toContain(answer.status);
      }
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(await call()).toMatchObject({ status: 200, body: { response: { allowed: true } } });
  });
});

describe('a pod made to keep the webhook busy', () => {
  const socket = { 'enclave-licensing.dev/upstream': 'unix:/run/enclave/app.sock' };
  test.each<[string, object]>([
    [
      'by a mount path of slashes',
      enclavePod(socket, {
        containers: [
          {
            name: 'app',
            image: APP_IMAGE,
            volumeMounts: [{ name: 'run', mountPath: `${'/'.repeat(150_000)}a` }],
          },
        ],
      }),
    ],
    ['by a name that looks like tokens', { ...enclavePod(), metadata: LONG_NAME }],
  ])('%s is answered at once', async (_how, pod) => {
    const { call, lines } = await start();
    const begun = cpuMs();
    for (const path of ['/mutate', '/validate'])
      expect(await call({ path, body: reviewOf(pod) })).toMatchObject({
        status: 200,
        body: { response: { allowed: false } },
      });
    expect(cpuMs() - begun).toBeLessThan(3_000);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(1_000);
  });
});

describe('strangers', () => {
  test('who send what no API server sends do not fill the log with our failures', async () => {
    const { call, lines, rejected } = await start();
    const odd = REVIEW.replace(/"containers":\[.*?\]/, '"containers":[null]');
    for (let at = 0; at < 20; at += 1) expect((await call({ body: odd })).status).toBe(500);
    expect(rejected('failed')).toBe(20);
    expect(lines.filter((line) => line.includes('review failed'))).toHaveLength(1);
  });
});
