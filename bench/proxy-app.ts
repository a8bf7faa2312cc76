/** The app behind the proxies: HTTP/1.1 by hand, so that the load is cheap beside what is measured. */
import { type AddressInfo, createServer } from 'node:net';
import { BODY_BYTES } from './proxy-tasks.ts';

const ANSWER = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-length: ${BODY_BYTES}\r\n\r\n${'a'.repeat(BODY_BYTES)}`,
);
const BLOCK = Buffer.alloc(262_144, 0x62);

/** `GET /<n>` is answered by n bytes; a body is read and answered by 1 KB. Returns the port. */
export async function startApp(): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    let left = 0;
    let head = '';
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      let at = 0;
      while (at < chunk.length) {
        if (left === 0) {
          const text = head + chunk.toString('latin1', at);
          const end = text.indexOf('\r\n\r\n');
          if (end < 0) {
            head = text;
            return;
          }
          at += end + 4 - head.length;
          head = '';
          const asked = Number(/^GET \/(\d+) /.exec(text)?.[1] ?? 0);
          if (asked > 0) {
            socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${asked}\r\n\r\n`);
            send(socket, asked);
            continue;
          }
          left = Number(/content-length: *(\d+)/i.exec(text.slice(0, end))?.[1] ?? 0);
        }
        const taken = Math.min(left, chunk.length - at);
        left -= taken;
        at += taken;
        if (left === 0) socket.write(ANSWER);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve));
  return (server.address() as AddressInfo).port;
}

function send(socket: import('node:net').Socket, bytes: number): void {
  let left = bytes;
  while (left > 0 && !socket.destroyed) {
    const block = left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK;
    left -= block.length;
    if (!socket.write(block) && left > 0) return void socket.once('drain', () => send(socket, left));
  }
}
