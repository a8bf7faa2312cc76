import { createCipheriv, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';

/** Types of records (RFC 8446, 5.1) and handshake messages (4). */
export const CONTENT = { alert: 21, handshake: 22, data: 23 } as const;

/** HKDF-Expand-Label (RFC 8446, 7.1) with an empty context, for what fits one block of SHA-256. */
function expandLabel(secret: Uint8Array, label: string, length: number): Buffer {
  const full = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.from([0, length, full.length]), full, Buffer.from([0, 1])]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, length);
}

export interface RecordWriter {
  readonly line: Socket;
  /** One encrypted record with whatever is in it; its bytes, to be written to the line. */
  seal(type: number, content: Uint8Array): Buffer;
  /** A KeyUpdate (RFC 8446, 4.6.3), and from then on the next key. */
  keyUpdate(answer: boolean): Buffer;
}

/**
 * A client that has made a proper handshake, and then writes records that no TLS library would: the keys are those of its own key log. Nothing of the
 * client's library writes to the line any more.
 */
export async function tls13Records(
  host: string,
  port: number,
  options: ConnectionOptions,
): Promise<RecordWriter> {
  const line = connectTcp({ host, port });
  line.on('error', () => {});
  const socket = connect({
    ...options,
    socket: line,
    minVersion: 'TLSv1.3',
    ciphers: 'TLS_AES_128_GCM_SHA256',
    rejectUnauthorized: false,
  });
  socket.on('error', () => {});
  let secret: Buffer | undefined;
  socket.on('keylog', (logged: Buffer) => {
    const [label, , value] = logged.toString('latin1').trim().split(' ');
    if (label === 'CLIENT_TRAFFIC_SECRET_0') secret = Buffer.from(value ?? '', 'hex');
  });
  // With its ticket the server says that it has the client's last word.
  await once(socket, 'session');
  if (secret === undefined) throw new Error('no key was logged');
  let current = secret;
  let [key, iv] = [expandLabel(current, 'key', 16), expandLabel(current, 'iv', 12)];
  let sequence = 0n;
  const seal = (type: number, content: Uint8Array): Buffer => {
    const nonce = Buffer.from(iv);
    nonce.writeBigUInt64BE(nonce.readBigUInt64BE(4) ^ sequence, 4);
    sequence += 1n;
    const head = Buffer.from([CONTENT.data, 3, 3, 0, 0]);
    head.writeUInt16BE(content.length + 17, 3);
    const cipher = createCipheriv('aes-128-gcm', key, nonce).setAAD(head);
    const body = Buffer.concat([cipher.update(content), cipher.update(Buffer.from([type])), cipher.final()]);
    return Buffer.concat([head, body, cipher.getAuthTag()]);
  };
  return {
    line,
    seal,
    keyUpdate: (answer) => {
      const record = seal(CONTENT.handshake, Buffer.from([24, 0, 0, 1, answer ? 1 : 0]));
      current = expandLabel(current, 'traffic upd', 32);
      [key, iv] = [expandLabel(current, 'key', 16), expandLabel(current, 'iv', 12)];
      sequence = 0n;
      return record;
    },
  };
}
