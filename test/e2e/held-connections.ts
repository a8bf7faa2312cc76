import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { expect } from 'vitest';
import type { Person } from '../../tools/demo/people.ts';

/** What revocation is allowed; the words of the design. */
export const WITHIN_MS = 30_000;

const undo: (() => unknown)[] = [];
/** Ends what the test has opened. */
export function hangUp(): void {
  for (const each of undo.splice(0)) each();
}
/** To be ended with the rest. */
export function atEnd(end: () => unknown): void {
  undo.push(end);
}

interface Address {
  readonly endpoint: string;
  readonly serverName: string;
}
const folder = (who: Person, id: string): string => join(who.home, '.local/state/enclavectl/enclaves', id);
const addressOf = (who: Person, id: string): Address =>
  JSON.parse(readFileSync(join(folder(who, id), 'enclave.json'), 'utf8')) as Address;

/** A connection that any program makes, with what enclavectl keeps. */
export async function dial(who: Person, id: string, withCertificate = true): Promise<TLSSocket> {
  const { endpoint, serverName } = addressOf(who, id);
  const [host = '', port] = endpoint.split(':');
  const read = (name: string): string => readFileSync(join(folder(who, id), name), 'utf8');
  const socket = connect({
    ...{ host, port: Number(port), servername: serverName, rejectUnauthorized: false },
    ALPNProtocols: ['http/1.1'],
    ...(withCertificate && { cert: read('certificate.pem'), key: read('key.pem') }),
  });
  socket.on('error', () => undefined);
  undo.push(() => socket.destroy());
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  return socket;
}

/** One request on a connection that stays open; empty when it is closed instead. */
export function ask(socket: TLSSocket, headers = ''): Promise<string> {
  const answer = new Promise<string>((resolve) => {
    socket.once('data', (chunk) => resolve(chunk.toString()));
    socket.once('close', () => resolve(''));
  });
  socket.write(`GET /mine HTTP/1.1\r\nhost: app\r\n${headers}\r\n`);
  return answer;
}

/** A request that is under way until somebody ends it: the app waits for the rest of its body. */
export async function hold(socket: TLSSocket, headers = ''): Promise<TLSSocket> {
  expect(await ask(socket, headers)).toContain('"path":"/mine"');
  socket.write(
    `POST /held HTTP/1.1\r\nhost: app\r\n${headers}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`,
  );
  return socket;
}

/** Milliseconds from now to its end. @throws when that takes longer than revocation may */
export async function endOf(socket: TLSSocket): Promise<number> {
  const start = performance.now();
  if (!socket.closed)
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the connection is still open')), WITHIN_MS);
      socket.resume().once('close', () => {
        clearTimeout(timer);
        resolve(undefined);
      });
    });
  return performance.now() - start;
}

/** What is said on a connection before it is over: an answer to what was under way, or nothing. @throws as `endOf` */
export async function lastWordsOf(socket: TLSSocket): Promise<string> {
  let said = '';
  const answered = new Promise<number>((resolve) =>
    socket.on('data', (chunk) => {
      said += chunk.toString();
      resolve(0);
    }),
  );
  await Promise.race([answered, endOf(socket)]);
  return said;
}
