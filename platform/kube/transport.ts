import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { KubeError } from './kube-error.ts';

export interface ApiServer {
  /** https://host:port, with a path when the API server stands behind one. */
  readonly server: string;
  /** The DNS name in its certificate; default: the host of the URL. */
  readonly serverName?: string;
  /** PEM; never empty: an empty set would mean every public authority to Node. Read anew for each connection. */
  ca(): string;
  /** Read anew for each request: projected tokens rotate. */
  token?(): string;
  readonly clientCertificate?: { readonly cert: string; readonly key: string };
  /** Address to dial from. */
  readonly localAddress?: string;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** Longest answer that is read; AnswerTooLarge for a longer one. */
  readonly maxBytes?: number;
}

/** The API server answered with more than was to be read. */
export class AnswerTooLarge extends Error {
  override readonly name = 'AnswerTooLarge';
}

const REQUEST_MS = 30_000;
const MAX_BODY = 64 * 1024 * 1024;

/** Sends requests to one API server over kept connections. */
export class Transport {
  readonly #api: ApiServer;
  #agent: Agent | undefined;
  #agentCa = '';

  constructor(api: ApiServer) {
    this.#api = api;
  }

  /** The answer as text. @throws KubeError for any status but 2xx */
  async send(call: ApiRequest): Promise<string> {
    const timeout = AbortSignal.timeout(REQUEST_MS);
    const signal = call.signal === undefined ? timeout : AbortSignal.any([timeout, call.signal]);
    const response = await this.open({ ...call, signal });
    return readAll(response, call.maxBytes);
  }

  /** The answer as a stream of 2xx. @throws KubeError for any other status */
  async open(call: ApiRequest): Promise<IncomingMessage> {
    const url = new URL(this.#api.server.replace(/\/+$/, '') + call.path);
    for (const [key, value] of Object.entries(call.query ?? {}))
      if (value !== undefined) url.searchParams.set(key, value);
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
    const token = this.#api.token?.();
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request(
        url,
        {
          method: call.method,
          agent: this.#currentAgent(),
          ...(call.signal === undefined ? {} : { signal: call.signal }),
          headers: {
            accept: 'application/json',
            'user-agent': 'enclave-licensing',
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
            ...(body === undefined
              ? {}
              : { 'content-type': call.contentType ?? 'application/json', 'content-length': body.length }),
          },
        },
        resolve,
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    throw toKubeError(status, await readAll(response), call.path);
  }

  close(): void {
    this.#agent?.destroy();
    this.#agent = undefined;
  }

  #currentAgent(): Agent {
    const ca = this.#api.ca();
    if (!ca.includes('-----BEGIN CERTIFICATE-----'))
      throw new Error('no certificate authority for the API server');
    if (this.#agent === undefined || this.#agentCa !== ca) {
      // Requests under way keep their connection; idle ones of the old authority go.
      this.#agent?.destroy();
      this.#agentCa = ca;
      this.#agent = new Agent({
        ca,
        keepAlive: true,
        maxSockets: 64,
        // Sessions are not kept: a resumed one would outlive a change of the authority.
        maxCachedSessions: 0,
        minVersion: 'TLSv1.2',
        ...(this.#api.clientCertificate ?? {}),
        ...(this.#api.serverName === undefined ? {} : { servername: this.#api.serverName }),
        ...(this.#api.localAddress === undefined ? {} : { localAddress: this.#api.localAddress }),
      });
    }
    return this.#agent;
  }
}

async function readAll(response: IncomingMessage, maxBytes = MAX_BODY): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    if (size > maxBytes) {
      response.destroy();
      throw new AnswerTooLarge(`the API server's answer is over ${maxBytes} bytes`);
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** What an API server answers for a resource, or a version of a group, that it does not have at all: it names none. */
const NOT_SERVED = ['the server could not find the requested resource', '404 page not found'];

function toKubeError(status: number, text: string, path: string): KubeError {
  const words = (message: string): string => {
    const custom = path.startsWith('/apis/') ? '; is its CustomResourceDefinition installed?' : '';
    return NOT_SERVED.includes(message) ? `${message} (${path}${custom})` : message || `HTTP ${status}`;
  };
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && 'kind' in parsed && parsed.kind === 'Status') {
      const reason = 'reason' in parsed ? String(parsed.reason) : '';
      const message = 'message' in parsed ? String(parsed.message) : '';
      return new KubeError(status, reason, words(message));
    }
  } catch {
    // Not a Status: a proxy's or the server's plain text.
  }
  return new KubeError(status, '', words(text.slice(0, 500).trim()));
}
