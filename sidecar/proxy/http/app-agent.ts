import { Agent, type ClientRequestArgs } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { dialUpstream, type UpstreamAddress } from '../upstream.ts';

/** Connections to the app that wait for the next request: no more than these, no longer than this. */
const IDLE_CONNECTIONS = 64;
const IDLE_MS = 60_000;
/** Bytes of an answer that are read at once. */
const PIECE = 8192;

/** Connections to the app over HTTP/1.1, kept for the next request; the app's own `Keep-Alive: timeout` is kept to. */
export class AppAgent extends Agent {
  readonly #upstream: UpstreamAddress;
  readonly #connectTimeout: number;

  constructor(upstream: UpstreamAddress, connectTimeout: number) {
    super({ keepAlive: true, maxFreeSockets: IDLE_CONNECTIONS, timeout: IDLE_MS });
    this.#upstream = upstream;
    this.#connectTimeout = connectTimeout;
  }

  override createConnection(
    _options: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    let socket: Socket | undefined;
    // In pieces of its own size: a read of libuv's would hold 64 KB for whatever it brings, once here and once more behind it.
    const take = (chunk: Buffer): boolean => socket?.push(Buffer.from(chunk)) ?? false;
    dialUpstream(this.#upstream, this.#connectTimeout, take, PIECE).then(
      (dialled) => {
        socket = dialled;
        // An app that has ended an idle connection has ended it for us too.
        dialled.allowHalfOpen = false;
        callback?.(null, dialled);
      },
      // Node's callback takes no stream beside an error.
      (error: Error) => callback?.(error, undefined as unknown as Socket),
    );
    return undefined;
  }
}
