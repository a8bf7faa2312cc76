/**
 * `quote-clients.ts`: sidecars as the agent sees them, in a process of their own, so that the load is no part of what is measured. HTTP/1.1
 * by hand over TLS: Node's client would be the limit. Told what to do by messages of its parent.
 */
import { randomBytes } from 'node:crypto';
import type { TcpNetConnectOpts } from 'node:net';
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import { quoteRequest, quoteResponse } from '../formats/evidence/agent-messages.ts';
import { parseStatement } from '../formats/evidence/statement.ts';
import { AGENT_PATHS, MEDIA_TYPES } from '../names/wire.ts';

export interface ClientsSetup {
  readonly host: string;
  readonly port: number;
  readonly serverName: string;
  /** PEM. */
  readonly roots: string;
  readonly pods: readonly {
    readonly address: string;
    readonly token: string;
    /** DER, base64. */
    readonly chain: readonly string[];
    readonly request: string;
    readonly connections: number;
  }[];
}

/** After a setup: keep all connections (or only the first) busy for so long. */
export interface ClientsTask {
  readonly ms: number;
  readonly all: boolean;
}

export interface ClientsReport {
  readonly answered: number;
  readonly refused: number;
  /** Of each answer, milliseconds; only when one connection was used. */
  readonly latencies: readonly number[];
}

const NONE = new Uint8Array(0);
/** Each so many answers one is looked into: it must be over the nonce that was sent. */
const LOOK = 64;

class QuoteClient {
  readonly #socket: TLSSocket;
  readonly #head: string;
  #received: Buffer = Buffer.alloc(0);
  #answer: PromiseWithResolvers<{ status: number; body: Buffer }> | undefined;

  constructor(socket: TLSSocket, head: string) {
    this.#socket = socket;
    this.#head = head;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    const fail = (): void => this.#answer?.reject(new Error('the agent closed the connection'));
    socket.on('error', fail).on('close', fail);
  }

  post(body: Uint8Array): Promise<{ status: number; body: Buffer }> {
    this.#answer = Promise.withResolvers();
    this.#socket.write(
      Buffer.concat([Buffer.from(`${this.#head}content-length: ${body.length}\r\n\r\n`), body]),
    );
    return this.#answer.promise;
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#received.toString('latin1', 0, end);
    const size = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#received.length < end + 4 + size) return;
    const body = this.#received.subarray(end + 4, end + 4 + size);
    this.#received = this.#received.subarray(end + 4 + size);
    this.#answer?.resolve({ status: Number(head.slice(9, 12)), body });
  }
}

const clients: QuoteClient[] = [];

function dial(setup: ClientsSetup, pod: ClientsSetup['pods'][number], secureContext: SecureContext) {
  return new Promise<QuoteClient>((resolve, reject) => {
    const { host, port, serverName: servername } = setup;
    const options: TcpNetConnectOpts & ConnectionOptions = {
      host,
      port,
      servername,
      secureContext,
      localAddress: pod.address,
    };
    const socket = connect(options);
    const head =
      `POST ${AGENT_PATHS.quote} HTTP/1.1\r\nhost: ${servername}\r\nauthorization: Bearer ${pod.token}\r\n` +
      `content-type: ${MEDIA_TYPES.protobuf}\r\n`;
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      socket.off('error', reject);
      resolve(new QuoteClient(socket, head));
    });
  });
}

async function setUp(setup: ClientsSetup): Promise<void> {
  const secureContext = createSecureContext({ ca: setup.roots });
  for (const pod of setup.pods) {
    const shown = quoteRequest.encode({
      nonce: new Uint8Array(randomBytes(32)),
      certificateChain: pod.chain.map((der) => new Uint8Array(Buffer.from(der, 'base64'))),
      certificateRequest: new Uint8Array(Buffer.from(pod.request, 'base64')),
    });
    const dialled = Array.from({ length: pod.connections }, () => dial(setup, pod, secureContext));
    for (const client of await Promise.all(dialled)) {
      const { status, body } = await client.post(shown);
      if (status !== 200) throw new Error(`${status}: ${body}`);
      clients.push(client);
    }
  }
}

async function load({ ms, all }: ClientsTask): Promise<ClientsReport> {
  let [answered, refused] = [0, 0];
  const latencies: number[] = [];
  const begun = performance.now();
  await Promise.all(
    (all ? clients : clients.slice(0, 1)).map(async (client) => {
      for (;;) {
        const nonce = randomBytes(32);
        const message = { nonce: new Uint8Array(nonce), certificateChain: [], certificateRequest: NONE };
        const sent = performance.now();
        const { status, body } = await client.post(quoteRequest.encode(message));
        const now = performance.now();
        if (now - begun > ms) return;
        if (status !== 200) {
          refused += 1;
          continue;
        }
        answered += 1;
        if (!all) latencies.push(now - sent);
        if (answered % LOOK === 0) look(body, nonce);
      }
    }),
  );
  return { answered, refused, latencies };
}

function look(body: Buffer, nonce: Buffer): void {
  const answer = quoteResponse.decode(new Uint8Array(body));
  const statement = parseStatement((answer.ok && answer.value.evidence?.statement) || NONE);
  if (!statement.ok || statement.value.eat_nonce !== nonce.toString('base64url'))
    throw new Error('evidence over another nonce');
}

process.on('message', (message: ClientsSetup | ClientsTask) => {
  const done = 'pods' in message ? setUp(message) : load(message);
  done.then(
    (result) => process.send?.(result ?? 'ready'),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => process.exit());
