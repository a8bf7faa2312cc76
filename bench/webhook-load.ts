/** `webhook-load.ts`, forked by bench/webhook.ts: an API server's calls, by hand over TLS, because Node's own client would be the limit. */
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import type { LoadReport, LoadTask } from './webhook-tasks.ts';

const MOST_LATENCIES = 200_000;

class Connection {
  readonly #socket: TLSSocket;
  #received: Buffer = Buffer.alloc(0);
  #answered: ((body: Buffer) => void) | undefined;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  send(request: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#answered = resolve;
      this.#socket.once('close', reject);
      this.#socket.write(request, () => this.#socket.off('close', reject));
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#received.toString('latin1', 0, end);
    const [, length] = /content-length: (\d+)/i.exec(head) ?? [];
    const whole = end + 4 + Number(length);
    if (this.#received.length < whole) return;
    if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(head);
    const body = this.#received.subarray(end + 4, whole);
    this.#received = this.#received.subarray(whole);
    this.#answered?.(body);
  }
}

async function run(task: LoadTask): Promise<LoadReport> {
  const { port, ca, serverName, body } = task;
  const request = Buffer.from(
    `POST /mutate?timeout=10s HTTP/1.1\r\nHost: ${serverName}:8445\r\nUser-Agent: kube-apiserver-admission\r\nContent-Length: ${Buffer.byteLength(body)}\r\nAccept: application/json, */*\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n${body}`,
  );
  const connections = await Promise.all(
    Array.from({ length: task.connections }, async () => {
      const socket = connect({ host: '127.0.0.1', port, ca, servername: serverName });
      socket.setNoDelay(true);
      await once(socket, 'secureConnect');
      return new Connection(socket);
    }),
  );
  const latencies: number[] = [];
  let [done, sent] = [0, 0];
  let answer: Buffer = Buffer.alloc(0);
  const begun = performance.now();
  const until = task.ms === undefined ? Number.POSITIVE_INFINITY : begun + task.ms;
  const most = task.requests ?? Number.POSITIVE_INFINITY;
  const ask = async (connection: Connection, due: number): Promise<void> => {
    answer = await connection.send(request);
    done += 1;
    if (latencies.length < MOST_LATENCIES) latencies.push(performance.now() - due);
  };
  if (task.perSecond === undefined)
    await Promise.all(
      connections.map(async (connection) => {
        for (; sent < most && performance.now() < until; ) {
          sent += 1;
          await ask(connection, performance.now());
        }
      }),
    );
  else await openLoop(task.perSecond, connections, () => sent++ < most && performance.now() < until, ask);
  const seconds = (performance.now() - begun) / 1000;
  for (const each of connections) each.close();
  return { done, seconds, latencies: latencies.sort((a, b) => a - b), answer: answer.toString() };
}

/** Requests are due at fixed times; one that finds every connection busy waits, and its wait counts. */
async function openLoop(
  perSecond: number,
  connections: readonly Connection[],
  more: () => boolean,
  ask: (connection: Connection, due: number) => Promise<void>,
): Promise<void> {
  const free = [...connections];
  const waiting: number[] = [];
  const under: Promise<void>[] = [];
  const begin = (connection: Connection, due: number): void => {
    under.push(
      ask(connection, due).then(() => {
        const next = waiting.shift();
        if (next === undefined) free.push(connection);
        else begin(connection, next);
      }),
    );
  };
  const start = performance.now();
  for (let n = 0; more(); ) {
    for (; start + (n * 1000) / perSecond <= performance.now(); n += 1) {
      const due = start + (n * 1000) / perSecond;
      const connection = free.pop();
      if (connection === undefined) waiting.push(due);
      else begin(connection, due);
    }
    // Timers are too coarse for a thousand a second.
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const each of under) await each;
}

process.on('message', (task: LoadTask) => {
  run(task).then(
    (report) => process.send?.(report),
    (error: unknown) => process.send?.({ failed: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
