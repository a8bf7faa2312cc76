import { createServer, type ServerResponse } from 'node:http';
import { createServer as createListener, type Server, type Socket } from 'node:net';
import { HeadwiseSocket } from '../http/headwise-socket.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Health, HealthReport } from './health.ts';

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 64;
/** The whole life of one: a question and its answer. */
const CONNECTION_MS = 10_000;
/** One check of readiness. */
const CHECK = /^\/readyz\/([a-z-]{1,63})$/;
/** So many milliseconds an answer that would be a refusal waits for its end. */
const WAIT = /^wait=([1-9][0-9]{0,2})$/;

/**
 * Serves /livez, /readyz (/readyz/NAME of one check) and /metrics, and nothing else, over plain HTTP for kubelet and Prometheus. A kubelet asks once a second: who
 * becomes ready just after it was asked would wait for the next time, so its probes say that they wait (?wait=800, at most 999 ms).
 * @throws when the port cannot be had.
 */
export async function serveHealth(
  host: string,
  port: number,
  health: Health,
  metrics: Metrics,
): Promise<HealthServer> {
  const server = createServer({ maxHeaderSize: 8192 }, (request, response) => {
    const [path = '', query = ''] = (request.url ?? '').split('?');
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return end(response, 405, 'GET or HEAD only\n');
    if (path === '/livez') return report(response, health.live());
    const name = CHECK.exec(path)?.[1];
    if (path === '/readyz' || name !== undefined) {
      const wait = Number(WAIT.exec(query)?.[1] ?? 0);
      if (wait === 0 || health.ready(name).ok) return report(response, health.ready(name));
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      return void health.untilReady(wait, name, gone.signal).then(() => report(response, health.ready(name)));
    }
    if (path === '/metrics')
      return void metrics.render().then(
        (text) => end(response, 200, text, 'text/plain; version=0.0.4; charset=utf-8'),
        () => end(response, 500, 'metrics failed\n'),
      );
    return end(response, 404, '/livez, /readyz, /metrics\n');
  });
  // Node takes requests that are sent all at once, however many wait for their answer: a stranger's would take all memory of a small container.
  server.maxRequestsPerSocket = 1;
  server.on('dropRequest', (_request, socket) => socket.destroy());
  const open = new Set<Socket>();
  const listener = createListener({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    const timer = setTimeout(() => socket.destroy(), CONNECTION_MS).unref();
    socket.once('close', () => {
      clearTimeout(timer);
      open.delete(socket);
    });
    server.emit('connection', new HeadwiseSocket(socket));
    // The oldest goes, not the newest: strangers that hold connections must not make a kubelet's probe fail.
    const [oldest] = open;
    if (open.size > MAX_CONNECTIONS) oldest?.destroy();
  });
  await listening(listener, host, port);
  const address = listener.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

function report(response: ServerResponse, { ok, lines }: HealthReport): void {
  end(response, ok ? 200 : 503, `${[...lines, ok ? 'ok' : 'not ok'].join('\n')}\n`);
}

function end(
  response: ServerResponse,
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  response
    .writeHead(status, { 'content-type': type, 'cache-control': 'no-store', connection: 'close' })
    .end(text);
}
