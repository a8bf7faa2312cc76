import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { ContainerLog } from './container-log.ts';
import { logLines } from './log-lines.ts';

export interface KubeletServerOptions {
  readonly certPem: string;
  readonly keyPem: string;
  /** The cluster's authority: only its administrators (the API server among them) may read logs. */
  readonly clientCaPem: string;
  /** The newest log of a container, or the one before it. */
  log(namespace: string, pod: string, container: string, previous: boolean): ContainerLog | undefined;
}

/** The one path of a kubelet's API that `kubectl logs` needs: `GET /containerLogs/{namespace}/{pod}/{container}`. */
export function createKubeletServer(options: KubeletServerOptions): Server {
  return createServer(
    {
      cert: options.certPem,
      key: options.keyPem,
      ca: options.clientCaPem,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
    },
    (request, response) => {
      const groups = organisations(request.socket as TLSSocket);
      if (!groups.includes('system:masters')) {
        response.writeHead(403).end('Forbidden: only the API server may ask\n');
        return;
      }
      serveLog(options, request, response);
    },
  );
}

function organisations(socket: TLSSocket): string[] {
  const subject = socket.getPeerCertificate().subject as { O?: string | string[] } | undefined;
  return [subject?.O ?? []].flat();
}

function serveLog(options: KubeletServerOptions, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'https://node');
  const [route, namespace, pod, container, ...rest] = url.pathname
    .slice(1)
    .split('/')
    .map(decodeURIComponent);
  if (request.method !== 'GET' || route !== 'containerLogs' || !container || rest.length > 0) {
    response.writeHead(404).end('this node serves /containerLogs/{namespace}/{pod}/{container}\n');
    return;
  }
  const previous = url.searchParams.get('previous') === 'true';
  const log = options.log(namespace ?? '', pod ?? '', container, previous);
  if (log === undefined) {
    const what = previous ? 'previous terminated container' : 'container';
    response.writeHead(404).end(`${what} "${container}" in pod "${pod}" not found\n`);
    return;
  }
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
  const next = logLines(url.searchParams, Date.now());
  response.write(next(log.text()));
  if (url.searchParams.get('follow') !== 'true' || log.closed) {
    response.end();
    return;
  }
  response.flushHeaders();
  const stop = log.listen(() => {
    response.write(next(log.text()));
    if (log.closed) response.end();
  });
  response.once('close', stop);
}
