import type { TLSSocket } from 'node:tls';
import type { Allowed } from '../../access/access.ts';
import { sourceOf } from '../../serve/source-of.ts';
import { type ConnectionFacts, connectionFacts, identityHeaders } from './client-identity.ts';

/** A client's connection in http mode. */
export interface HttpClient {
  readonly socket: TLSSocket;
  readonly facts: ConnectionFacts;
  /** Whose places its connection and requests take: its user's, or its address's where a token decides. */
  readonly who: string;
  /** By its certificate; undefined only with `auth: jwt`: each request is judged by its token. */
  readonly allowed: Allowed | undefined;
  /** The identity fields of its requests, when the certificate decided. */
  readonly identity: readonly string[] | undefined;
}

export function httpClient(
  enclave: string,
  socket: TLSSocket,
  allowed: Allowed | undefined,
  by: string | undefined,
): HttpClient {
  const facts = connectionFacts(enclave, socket, allowed !== undefined, by);
  const who = allowed === undefined ? `address ${sourceOf(facts.address)}` : `user ${allowed.user}`;
  return { socket, facts, who, allowed, identity: allowed && identityHeaders(facts, allowed) };
}
