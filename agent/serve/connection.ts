import type { Socket } from 'node:net';
import type { Caller } from '../caller/caller.ts';
import type { AgentResult } from '../code.ts';

/** One TLS connection of a sidecar. Who calls is established once and dies with it. */
export interface Connection {
  readonly socket: Socket;
  readonly remoteAddress: string;
  /** Ends when the connection does. */
  readonly signal: AbortSignal;
  /** Requests that are being answered. */
  inFlight: number;
  caller?: Caller;
  /** Being established, or established: every request of the connection waits for this one answer, pipelined ones too. */
  identified?: Promise<AgentResult<CallerConnection>> | undefined;
  /** The chain that this connection has shown, with its request, to be of this pod: DER, leaf first. */
  chain?: readonly Uint8Array[];
}

/** A connection whose caller is known. */
export type CallerConnection = Connection & { caller: Caller };
