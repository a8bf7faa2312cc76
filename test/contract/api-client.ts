import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { KeyPairPem } from '../../devcluster/api/certificate-authority.ts';
import type { Fields } from '../../devcluster/api/object.ts';

/** An API server, and who may talk to it: what the contract is tried on. */
export interface ApiServerUnderTest {
  readonly url: string;
  readonly caPem: string;
  /** Administrator's kubeconfig file. */
  readonly kubeconfig: string;
  issueClient(user: string, groups: readonly string[]): Promise<KeyPairPem>;
  stop(): Promise<void>;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Answered;
}

/** JSON whose members a test names freely; what is not there is undefined. */
export interface Answered {
  readonly [member: string]: Answered;
  readonly [index: number]: Answered;
}

export interface WatchEvent {
  readonly type: string;
  readonly object: Answered;
}

export interface ApiClient {
  get(path: string): Promise<ApiAnswer>;
  post(path: string, body: unknown): Promise<ApiAnswer>;
  put(path: string, body: unknown): Promise<ApiAnswer>;
  patch(path: string, type: 'json' | 'merge' | 'strategic-merge', body: unknown): Promise<ApiAnswer>;
  delete(path: string, options?: Fields): Promise<ApiAnswer>;
  /** Events as they come; `take` waits for so many, `close` ends the stream. */
  watch(path: string): Promise<{ take(count: number): Promise<WatchEvent[]>; close(): void }>;
}

export type Credentials = KeyPairPem | { readonly token: string } | undefined;

/** Raw HTTPS: what it does is what a client library would have to do. */
export function apiClient(server: ApiServerUnderTest, credentials: Credentials): ApiClient {
  const identity =
    credentials === undefined
      ? {}
      : 'token' in credentials
        ? { headers: { authorization: `Bearer ${credentials.token}` } }
        : { cert: credentials.certPem, key: credentials.keyPem };
  const open = async (
    method: string,
    path: string,
    body: unknown,
    type: string,
  ): Promise<IncomingMessage> => {
    const outgoing = httpsRequest(`${server.url}${path}`, {
      ...identity,
      method,
      ca: server.caPem,
      agent: false,
      headers: { ...('headers' in identity ? identity.headers : {}), 'content-type': type },
    });
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    // Node says no length by itself for the body of a DELETE.
    if (bytes !== undefined) outgoing.setHeader('content-length', bytes.length);
    outgoing.end(bytes);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    return incoming;
  };
  const call = async (
    method: string,
    path: string,
    body?: unknown,
    type = 'application/json',
  ): Promise<ApiAnswer> => {
    const incoming = await open(method, path, body, type);
    let said = '';
    for await (const chunk of incoming.setEncoding('utf8')) said += chunk;
    const json = said.startsWith('{') ? JSON.parse(said) : { text: said };
    return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: json };
  };
  return {
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    put: (path, body) => call('PUT', path, body),
    patch: (path, type, body) => call('PATCH', path, body, `application/${type}-patch+json`),
    delete: (path, options) => call('DELETE', path, options),
    watch: async (path) => {
      const incoming = await open('GET', path, undefined, 'application/json');
      if (incoming.statusCode !== 200) throw new Error(`watch: ${incoming.statusCode}`);
      const lines = readLines(incoming);
      return {
        take: async (count) => {
          const events: WatchEvent[] = [];
          while (events.length < count) {
            const { value, done } = await lines.next();
            if (done) throw new Error(`watch ended after ${events.length} of ${count} events`);
            events.push(JSON.parse(value) as WatchEvent);
          }
          return events;
        },
        close: () => incoming.destroy(),
      };
    },
  };
}

async function* readLines(incoming: IncomingMessage): AsyncGenerator<string, undefined> {
  let rest = '';
  for await (const chunk of incoming.setEncoding('utf8')) {
    rest += chunk;
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      yield rest.slice(0, end);
      rest = rest.slice(end + 1);
    }
  }
}

export function unique(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

/** A namespace with the service account that pods need; a real server without controllers does not make it. */
export async function makeNamespace(admin: ApiClient, labels: Fields = {}): Promise<string> {
  const name = unique('contract');
  await admin.post('/api/v1/namespaces', { metadata: { name, labels } });
  await admin.post(`/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: 'default' } });
  return name;
}
