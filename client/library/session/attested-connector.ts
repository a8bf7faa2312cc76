import type { TLSSocket } from 'node:tls';
import { equal } from '../../../formats/bytes/bytes.ts';
import type { Address } from '../../../platform/config/option.ts';
import type { Credential } from '../../../platform/identity/credential.ts';
import type { Clock } from '../../../platform/run/clock.ts';
import { dialTls } from '../../../platform/tls/dial.ts';
import { peerCertificate } from '../../../platform/tls/peer.ts';
import { Failure } from '../../failure.ts';
import { type Attested, createRounds } from './attestation-rounds.ts';
import { BoundConnections } from './bound-connections.ts';
import { createRenewal } from './evidence-renewal.ts';
import { isUnreachable } from './is-unreachable.ts';

/** Where the enclave is, what it is judged by, and who is told when that fails. */
export interface ConnectorOptions {
  readonly endpoint: Address;
  readonly serverName: string;
  readonly alpn: readonly string[];
  readonly signal: AbortSignal;
  /** `elapsedClock()`. */
  readonly clock: Clock;
  /** How long evidence counts, in milliseconds: the policy's maximum age. */
  readonly evidenceMs: number;
  /** How often it is renewed while a connection is open, in milliseconds; less than `evidenceMs`. */
  readonly renewMs: number;
  /** Roots of enclaves as they are trusted now, DER. */
  roots(): readonly Uint8Array[];
  /** Gets evidence for a nonce of its own and verifies it; the certificate (DER) that it is about. @throws Failure when the verdict refuses */
  attest(): Promise<Uint8Array>;
  /** The user's certificate, renewed when it is time; absent where tokens let in (`auth: jwt`), which each request then carries. */
  credential?(): Promise<Credential>;
  /** Renewed evidence was refused: every connection was cut, and this is why. */
  onRefused(reason: unknown): void;
  /** Connections were cut because no new evidence of their certificate came in time. */
  onExpired(connections: number, reason: Failure): void;
  /** Evidence could not be renewed for now; it is tried again. */
  onTrouble(reason: unknown): void;
  /** The other side ended a connection: the app, or the enclave because access is over. */
  onEnded?(): void;
}

/** Data connections to an enclave that was attested: to exactly the key in the evidence, and to no other. */
export interface AttestedConnector {
  /** Attests now. */
  attest(): Promise<void>;
  /** Attests, and then connects to exactly what was attested; not a byte is sent before that is known. While it is open, evidence is renewed, or it is cut. */
  connect(alpn?: readonly string[]): Promise<TLSSocket>;
}

/**
 * Connections to one enclave. Evidence is asked for over a nonce of its own for each, the live certificate is compared inside the handshake, TLS sessions are never resumed; while a
 * connection is open evidence is renewed, and all are cut when it is refused or runs out. `connect` and `attest` throw what `options.attest` throws, Node's errors when the
 * enclave cannot be reached, and Failure `live-certificate-differs`.
 * @throws RangeError when evidence would be renewed only after it is too old
 */
export function createAttestedConnector(options: ConnectorOptions): AttestedConnector {
  if (!(options.renewMs > 0 && options.renewMs < options.evidenceMs))
    throw new RangeError('renewMs must be above 0 and below evidenceMs');
  const bound = new BoundConnections();
  const rounds = createRounds(options);
  const next = async (): Promise<Attested> => {
    const attested = await rounds.next();
    bound.renew(attested);
    return attested;
  };
  const renewal = createRenewal({ ...options, bound, next });

  const dial = async ({ certificate }: Attested, alpn: readonly string[]): Promise<TLSSocket | 'differs'> => {
    let differs = false;
    try {
      const socket = await dialTls({
        ...options.endpoint,
        serverName: options.serverName,
        roots: options.roots(),
        ...(options.credential && { credential: await options.credential() }),
        alpn,
        signal: options.signal,
        // Within the handshake: what is not the attested certificate never sees our first byte.
        judgeServer: (live) => {
          differs = !equal(live, certificate);
          return differs ? 'the live certificate is not the attested one' : undefined;
        },
      });
      const live = peerCertificate(socket);
      if (live !== undefined && equal(live, certificate)) return socket;
      socket.destroy();
      return 'differs';
    } catch (error) {
      if (differs) return 'differs';
      throw error;
    }
  };

  const connect = async (alpn = options.alpn): Promise<TLSSocket> => {
    // Twice: an enclave that renewed its certificate in between differs once, and is attested anew.
    for (let turn = 0; turn < 2; turn += 1) {
      const attested = await next().catch((error: unknown) => {
        if (!isUnreachable(error)) renewal.now();
        throw error;
      });
      const socket = await dial(attested, alpn);
      if (socket === 'differs') continue;
      // A peer that vanished without a word is noticed, also when nothing is sent.
      socket.setKeepAlive(true, 30_000);
      // Both directions of a pipeline listen to it several times over.
      socket.setMaxListeners(20);
      bound.add(socket, attested);
      if (options.onEnded !== undefined) whenEnded(socket, options.onEnded);
      renewal.start();
      return socket;
    }
    throw new Failure(
      'verdict',
      'live-certificate-differs',
      'the enclave shows another certificate than the attested one',
      'somebody stands between; do not go on',
    );
  };

  return { attest: () => next().then(() => undefined), connect };
}

/** Calls once when the peer ended or reset the connection; not when we did. */
function whenEnded(socket: TLSSocket, told: () => void): void {
  const ended = (): void => {
    socket.removeListener('end', ended).removeListener('error', broke);
    told();
  };
  const broke = (error: NodeJS.ErrnoException): void => {
    if (error.syscall !== undefined) ended();
  };
  socket.once('end', ended).on('error', broke);
}
