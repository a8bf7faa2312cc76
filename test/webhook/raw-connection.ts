import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { encodePem } from '../../formats/x509/pem.ts';
import { authority, NAME } from './serving-fixture.ts';

/** Resolves whether it ended in order or not. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** A connection on which a test writes what it likes. */
export async function rawConnection(
  port: number,
): Promise<{ socket: TLSSocket; said: () => string; ended: Promise<unknown> }> {
  const ca = encodePem('CERTIFICATE', authority.root);
  const socket = connect({ host: '127.0.0.1', port, ca, servername: NAME });
  let text = '';
  socket.on('error', () => undefined);
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  const ended = closed(socket);
  await once(socket, 'secureConnect');
  return { socket, said: () => text, ended };
}

/** Of a request whose body is so long, in bytes, or that says something else of its length. */
export const head = (length: number | string, path = '/mutate?timeout=10s') =>
  `POST ${path} HTTP/1.1\r\nhost: ${NAME}\r\ncontent-type: application/json\r\n${typeof length === 'number' ? `content-length: ${length}` : length}\r\n\r\n`;
