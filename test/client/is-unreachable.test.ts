import { request } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Failure } from '../../client/failure.ts';
import { isUnreachable } from '../../client/library/session/is-unreachable.ts';
import { RpcError } from '../../platform/rpc/rpc-error.ts';
import { dialTls } from '../../platform/tls/dial.ts';

/** Takes connections, says nothing. */
const held: Socket[] = [];
const silent = createServer((socket) => void held.push(socket));
let port: number;
beforeAll(async () => {
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  port = (silent.address() as AddressInfo).port;
});
afterAll(() => {
  for (const each of held) each.destroy();
  silent.close();
});

const asks = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => {
    request({ host: '127.0.0.1', port, signal }).on('error', resolve).end();
  });
const dials = (to: number, more: object = {}): Promise<unknown> =>
  dialTls({ host: '127.0.0.1', port: to, serverName: 'x', roots: 'unauthenticated', ...more }).catch(
    (error: unknown) => error,
  );

test('whoever does not answer in time is asked again; whoever was told to stop, or got another answer, is not', async () => {
  expect(isUnreachable(await asks(AbortSignal.timeout(50)))).toBe(true);
  expect(isUnreachable(await asks(AbortSignal.any([AbortSignal.timeout(50)])))).toBe(true);
  expect(isUnreachable(await dials(port, { timeoutMs: 50 }))).toBe(true);
  expect(isUnreachable(await dials(1))).toBe(true);
  expect(isUnreachable(new RpcError('UNAVAILABLE', 'away'))).toBe(true);
  expect(isUnreachable(new Failure('unreachable', 'busy', 'busy', ''))).toBe(true);

  expect(isUnreachable(await asks(AbortSignal.abort()))).toBe(false);
  expect(isUnreachable(await dials(port, { signal: AbortSignal.abort() }))).toBe(false);
  expect(isUnreachable(new Failure('verdict', 'clock-went-back', 'no', ''))).toBe(false);
  expect(isUnreachable(new RpcError('PERMISSION_DENIED', 'no'))).toBe(false);
  expect(isUnreachable(new TypeError('a defect'))).toBe(false);
});
