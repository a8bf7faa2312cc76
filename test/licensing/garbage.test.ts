import { connect } from 'node:http2';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RpcError } from '../../platform/rpc/rpc-error.ts';
import type { CallOptions } from '../../platform/rpc/service.ts';
import { type FrontFixture, launchRequest, startFrontFixture } from '../support/front-fixture.ts';

let front: FrontFixture;
let ada: CallOptions;
beforeAll(async () => {
  front = await startFrontFixture();
  ada = await front.token('ada');
});
afterAll(() => front.close());

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const jwt = (header: unknown, claims: unknown, signature = ''): string =>
  `${part(header)}.${part(claims)}.${signature}`;
/** A token of ada's with its parts changed. */
function forged(token: string): string[] {
  const [header = '', claims = '', signature = ''] = token.split('.');
  const read = JSON.parse(Buffer.from(header, 'base64url').toString()) as object;
  return [
    jwt({ alg: 'none' }, { sub: 'ada' }),
    `${part({ ...read, alg: 'none' })}.${claims}.`,
    `${part({ ...read, alg: 'HS256' })}.${claims}.${signature}`,
    `${part({ ...read, crit: ['exp'] })}.${claims}.${signature}`,
    `${part({ ...read, b64: false, crit: ['b64'] })}.${claims}.${signature}`,
    ...[5, null, [], {}, '', '../x', 'A'.repeat(43)].map(
      (kid) => `${part({ ...read, kid })}.${claims}.${signature}`,
    ),
    `${header}.${part({ sub: 'ada', exp: 1e300 })}.${signature}`,
    `${header}.${claims}.${Buffer.alloc(64).toString('base64url')}`,
    `${header}.${claims}.${signature}${signature}`,
    `${header}.${claims}`,
    `${header}..${signature}`,
    '..',
    '.'.repeat(8000),
    Buffer.from('{'.repeat(4000)).toString('base64url'),
  ];
}

/** What a caller may be told: never that front does not know what happened to it. */
const TOLD = new Set([
  ...['INVALID_ARGUMENT', 'UNAUTHENTICATED', 'PERMISSION_DENIED', 'NOT_FOUND', 'ALREADY_EXISTS'],
  ...['RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'DEADLINE_EXCEEDED'],
]);
async function answerTo(call: Promise<unknown> | AsyncIterable<unknown>): Promise<string> {
  try {
    if (call instanceof Promise) await call;
    else for await (const _ of call) break;
    return 'OK';
  } catch (error) {
    if (error instanceof RpcError) return error.status;
    throw error;
  }
}

test('no token but a whole one of ours lets anybody in', async () => {
  const api = front.client();
  for (const token of forged(ada.token ?? ''))
    expect(await answerTo(api.listEnclaves({ pageSize: 0, pageToken: '' }, { token })), token).toBe(
      'UNAUTHENTICATED',
    );
  expect(await answerTo(api.listEnclaves({ pageSize: 0, pageToken: '' }, ada))).toBe('OK');
});

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constantFrom('', '\0', 'ada', 'e1', 'n.sa', '../..', '%00', "'; DROP TABLE users; --", 'a'.repeat(5000)),
);
const blob = fc
  .oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.constantFrom(...[0, 1, 16, 65, 5000].map((length) => new Uint8Array(length))),
    fc.json({ maxDepth: 5 }).map((json) => new Uint8Array(Buffer.from(json))),
    fc.constant(new Uint8Array(Buffer.from(`{"v":"enclave-grant-revoke/1",${'"a":['.repeat(500)}`))),
  )
  .map((bytes) => Buffer.from(bytes));
const number = fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.constantFrom(0, 1, 1000));

test('whatever the fields hold, the answer is a refusal with a reason', async () => {
  const api = front.client();
  await fc.assert(
    fc.asyncProperty(fc.nat(8), text, text, blob, blob, number, async (which, a, b, x, y, n) => {
      const launch = { ...launchRequest(), profile: a, nonce: x, certificateRequest: y };
      const answers = await Promise.all(
        [
          () => api.signUp({ user: a, password: b }),
          () => api.login({ user: a, password: b }),
          () => api.launch(launch, ada),
          () => api.getEnclave({ id: a, nonce: x }, ada),
          () => api.listEnclaves({ pageSize: n, pageToken: b }, ada),
          () => api.stopEnclave({ id: a }, ada),
          () => api.revokeGrant({ revocation: x, signature: y }, ada),
          () => api.issueEnclaveToken({ enclave: a }, ada),
          () =>
            api.issueUserCertificate({ enclave: a, certificateRequest: x, grant: y, grantSignature: x }, ada),
        ]
          .slice(which, which + 1)
          .map((call) => answerTo(call())),
      );
      for (const answer of answers) expect(answer === 'OK' || TOLD.has(answer), answer).toBe(true);
    }),
    { numRuns: 300 },
  );
  expect(front.lines.filter((line) => line.includes('call failed'))).toEqual([]);
});

/** One call with these bytes as its message frames (gRPC over HTTP/2: "Length-Prefixed-Message"). @returns grpc-status */
function raw(path: string, body: Buffer, headers: Record<string, string> = {}): Promise<string> {
  const session = connect(`https://localhost:${front.front.port}`, { rejectUnauthorized: false });
  return new Promise<string>((resolve) => {
    session.on('error', () => resolve('broken'));
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    let status = 'none';
    const look = (fields: Record<string, unknown>): void => {
      if (fields['grpc-status'] !== undefined) status = String(fields['grpc-status']);
    };
    stream
      .on('response', look)
      .on('trailers', look)
      .on('error', () => {});
    stream.once('close', () => resolve(status));
    stream.resume().end(body);
  }).finally(() => session.destroy());
}
const frame = (message: Uint8Array, compressed = 0, length = message.length): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
};
const LOGIN = '/enclave_licensing.licensing.v1.LicensingService/Login';

test.each<[string, number, Buffer, Record<string, string>]>([
  ['no message', 12, Buffer.alloc(0), {}],
  ['half a head', 12, Buffer.from([0, 0]), {}],
  ['a message that is shorter than it says', 12, frame(Buffer.alloc(10), 0, 11), {}],
  ['a message of 4 GiB, as it says', 8, frame(Buffer.alloc(10), 0, 2 ** 32 - 1), {}],
  ['two messages', 12, Buffer.concat([frame(Buffer.alloc(0)), frame(Buffer.alloc(0))]), {}],
  ['a length that never ends', 13, frame(Buffer.alloc(64, 0xff)), {}],
  ['groups within groups', 8, frame(Buffer.alloc(60_000, 0x0b)), {}],
  ['compressed, without saying how', 16, frame(Buffer.alloc(10), 1), {}],
  ['compressed garbage', 13, frame(Buffer.alloc(10), 1), { 'grpc-encoding': 'gzip' }],
  ['60 MB in 60 KB', 8, frame(gzipSync(Buffer.alloc(60 << 20)), 1), { 'grpc-encoding': 'gzip' }],
  ['an encoding that nobody has', 12, frame(Buffer.alloc(10), 1), { 'grpc-encoding': 'x'.repeat(4000) }],
  ['a time limit of nonsense', 16, frame(Buffer.alloc(0)), { 'grpc-timeout': '99999999999999999999H' }],
])('front outlives %s, and says %i', async (_, status, body, headers) => {
  const before = process.memoryUsage().arrayBuffers;
  expect(await raw(LOGIN, body, headers)).toBe(String(status));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30 << 20);
  expect(await answerTo(front.client().listEnclaves({ pageSize: 0, pageToken: '' }, ada))).toBe('OK');
});
