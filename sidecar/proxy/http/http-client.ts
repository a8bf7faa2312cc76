import type { TLSSocket } from 'node:tls';
import type { Allowed } from '../../access/access.ts';
import { type ConnectionFacts, connectionFacts, identityHeaders } from './client-identity.ts';

/** A client's connection in http mode. */
export interface HttpClient {
  readonly socket: TLSSocket;
  readonly facts: ConnectionFacts;
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
  return { socket, facts, allowed, identity: allowed && identityHeaders(facts, allowed) };
}
