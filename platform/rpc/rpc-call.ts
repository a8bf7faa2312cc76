import type { Logger } from '../log/logger.ts';

/** Who calls, as far as TLS says. */
export interface RpcPeer {
  /** Host of the peer's address, without port. */
  readonly address: string;
  /** DER of the client certificate, when one was shown and it chains to the server's roots. What it is good for is the handler's to judge. */
  readonly certificate?: Uint8Array;
}

/** What a handler knows of its call. */
export interface RpcCall {
  readonly peer: RpcPeer;
  /** From `authorization: Bearer`; never logged. */
  readonly bearerToken?: string;
  /** From `x-request-id` when it is one, else made here. */
  readonly requestId: string;
  /** Aborts when the caller goes away, its deadline passes, or the server stops for good. */
  readonly signal: AbortSignal;
  /** Has the request id and the method. */
  readonly log: Logger;
}
