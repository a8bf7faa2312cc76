/** `proxy-load.ts`: the clients of the proxies and the app behind them, in a process of their own on a core of their own. Told what to do by its parent. */
import type { TcpNetConnectOpts } from 'node:net';
import { type ConnectionOptions, connect, createSecureContext, type TLSSocket } from 'node:tls';
import { startApp } from './proxy-app.ts';
import { BODY_BYTES, type LoadReport, type LoadSetup, type LoadTask } from './proxy-tasks.ts';

const POST = Buffer.from(
  `POST / HTTP/1.1\r\nhost: e\r\ncontent-length: ${BODY_BYTES}\r\n\r\n${'r'.repeat(BODY_BYTES)}`,
);
/** Opened at one time. */
const OPENING = 16;
/** Shared by all clients: what is read is only counted. */
const SINK = Buffer.allocUnsafeSlow(262_144);
const BLOCK = Buffer.alloc(262_144, 0x75);

let options: ConnectionOptions = {};
let cipher = '';
let held: TLSSocket[] = [];

function open(task: LoadTask, onBytes: (bytes: Buffer) => void): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const settings: ConnectionOptions & Pick<TcpNetConnectOpts, 'onread'> = {
      ...options,
      host: task.host,
      port: task.port,
      onread: {
        buffer: SINK,
        callback: (bytes, buffer) => {
          onBytes(Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
          return true;
        },
      },
    };
    const socket = connect(settings);
    socket.setNoDelay(true);
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      cipher = `${socket.getProtocol()} ${socket.getCipher().standardName}`;
      resolve(socket);
    });
  });
}

/** Opens so many, a few at a time. */
async function openMany(
  task: LoadTask & { connections: number },
  onBytes: (i: number) => (bytes: Buffer) => void,
) {
  const sockets: TLSSocket[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(OPENING, task.connections) }, async () => {
      while (next < task.connections) {
        const i = next;
        next += 1;
        sockets[i] = await open(task, onBytes(i));
      }
    }),
  );
  return sockets;
}

/** The length of the head of an answer that begins these bytes. */
function headOf(bytes: Buffer): { head: number; body: number } {
  const end = bytes.indexOf('\r\n\r\n');
  const text = bytes.toString('latin1', 0, end);
  if (!text.startsWith('HTTP/1.1 200')) throw new Error(`answered ${text.slice(0, 40)}`);
  return { head: end + 4, body: Number(/content-length: *(\d+)/i.exec(text)?.[1]) };
}

/** One answer after the other on each connection, for so long. */
async function requests(task: LoadTask & { kind: 'requests' }): Promise<LoadReport> {
  const missing: number[] = [];
  let answered = 0;
  let end = Number.POSITIVE_INFINITY;
  let idle = 0;
  const over = Promise.withResolvers<void>();
  const sockets = await openMany(task, (i) => (bytes) => {
    let left = missing[i] ?? 0;
    if (left === 0) {
      const { head, body } = headOf(bytes);
      left = head + body;
    }
    left -= bytes.length;
    missing[i] = left;
    if (left > 0) return;
    answered += 1;
    if (performance.now() < end) return void sockets[i]?.write(POST);
    idle += 1;
    if (idle === task.connections) over.resolve();
  });
  const begun = performance.now();
  end = begun + task.ms;
  for (const socket of sockets) socket.write(POST);
  await over.promise;
  const seconds = (performance.now() - begun) / 1000;
  for (const socket of sockets) socket.destroy();
  return { done: answered, seconds, cipher };
}

async function download(task: LoadTask & { kind: 'download' | 'upload' }): Promise<LoadReport> {
  let left = task.connections;
  const over = Promise.withResolvers<void>();
  const got: number[] = [];
  const want: number[] = [];
  const sockets = await openMany(task, (i) => (bytes) => {
    if (want[i] === undefined) {
      const { head, body } = headOf(bytes);
      want[i] = head + body;
    }
    got[i] = (got[i] ?? 0) + bytes.length;
    if (got[i] !== want[i]) return;
    left -= 1;
    if (left === 0) over.resolve();
  });
  const begun = performance.now();
  for (const socket of sockets)
    if (task.kind === 'download') socket.write(`GET /${task.bytes} HTTP/1.1\r\nhost: e\r\n\r\n`);
    else {
      socket.write(`POST / HTTP/1.1\r\nhost: e\r\ncontent-length: ${task.bytes}\r\n\r\n`);
      push(socket, task.bytes);
    }
  await over.promise;
  const seconds = (performance.now() - begun) / 1000;
  for (const socket of sockets) socket.destroy();
  return { done: task.bytes * task.connections, seconds, cipher };
}

function push(socket: TLSSocket, bytes: number): void {
  let left = bytes;
  while (left > 0) {
    const block = left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK;
    left -= block.length;
    if (!socket.write(block) && left > 0) return void socket.once('drain', () => push(socket, left));
  }
}

/** Full handshakes, each proved by one answer: in TLS 1.3 the client is done before the server has judged it. */
async function handshakes(task: LoadTask & { kind: 'handshakes' }): Promise<LoadReport> {
  const begun = performance.now();
  let done = 0;
  await Promise.all(
    Array.from({ length: task.connections }, async () => {
      while (performance.now() - begun < task.ms) {
        const answered = Promise.withResolvers<void>();
        const socket = await open(task, () => answered.resolve());
        socket.write(POST);
        await answered.promise;
        socket.destroy();
        done += 1;
      }
    }),
  );
  return { done, seconds: (performance.now() - begun) / 1000, cipher };
}

/** Idle connections that stay until `close`: each has had an answer. */
async function hold(task: LoadTask & { kind: 'open' }): Promise<LoadReport> {
  const begun = performance.now();
  let answered = 0;
  const over = Promise.withResolvers<void>();
  const seen = new Set<number>();
  held = await openMany(task, (i) => () => {
    if (seen.has(i)) return;
    seen.add(i);
    answered += 1;
    if (answered === task.connections) over.resolve();
  });
  for (const socket of held) socket.write(POST);
  await over.promise;
  return { done: answered, seconds: (performance.now() - begun) / 1000, cipher };
}

async function run(task: LoadTask): Promise<LoadReport> {
  switch (task.kind) {
    case 'requests':
      return requests(task);
    case 'download':
    case 'upload':
      return download(task);
    case 'handshakes':
      return handshakes(task);
    case 'open':
      return hold(task);
    case 'close': {
      const done = held.length;
      for (const socket of held.splice(0)) socket.destroy();
      return { done, seconds: 0, cipher };
    }
  }
}

process.on('message', (message: LoadSetup | LoadTask) => {
  if (!('kind' in message)) {
    const { cert, key, ca, serverName } = message;
    // Both suites are there; which one is used must not depend on whose list comes first.
    const secureContext = createSecureContext({
      cert,
      key,
      ca,
      minVersion: 'TLSv1.3',
      ciphers: 'TLS_AES_256_GCM_SHA384',
    });
    options = { secureContext, servername: serverName };
    return void startApp().then((port) => process.send?.({ port }));
  }
  run(message).then(
    (report) => process.send?.(report),
    (error: unknown) => process.send?.({ failed: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
