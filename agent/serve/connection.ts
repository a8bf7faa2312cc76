import type { Socket } from 'node:net';
import type { Caller } from '../caller/caller.ts';

/** One TLS connection of a sidecar. Who calls is established once and dies with it. */
export interface Connection {
  readonly socket: Socket;
  readonly remoteAddress: string;
  /** Ends when the connection does. */
  readonly signal: AbortSignal;
  caller?: Caller;
  /** The chain that this connection has shown, with its request, to be of this pod: DER, leaf first. */
  chain?: readonly Uint8Array[];
}

/** A connection whose caller is known. */
export type CallerConnection = Connection & { readonly caller: Caller };
