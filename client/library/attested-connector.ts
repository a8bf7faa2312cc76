import type { TLSSocket } from 'node:tls';
import { equal } from '../../formats/bytes/bytes.ts';
import type { Address } from '../../platform/config/option.ts';
import type { Credential } from '../../platform/identity/credential.ts';
import type { Clock } from '../../platform/run/clock.ts';
import { dialTls } from '../../platform/tls/dial.ts';
import { peerCertificate } from '../../platform/tls/peer.ts';
import { Failure } from '../failure.ts';

export interface ConnectorOptions {
  readonly endpoint: Address;
  readonly serverName: string;
  /** Roots of enclaves, DER. */
  readonly roots: readonly Uint8Array[];
  readonly alpn: readonly string[];
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** How long evidence counts, in milliseconds: the policy's maximum age. */
  readonly evidenceMs: number;
  /** Gets fresh evidence and verifies it; the certificate (DER) that it is about. @throws Failure when the verdict refuses */
  attest(): Promise<Uint8Array>;
  /** The user's certificate, renewed when it is time. */
  credential(): Promise<Credential>;
}

/** Data connections to an enclave that was attested: to exactly the key in the evidence, and to no other. */
export interface AttestedConnector {
  /** Attests now, whatever is known. */
  attest(): Promise<void>;
  /** A connection whose live certificate is the attested one; not a byte is sent before that is known. */
  connect(): Promise<TLSSocket>;
}

export function createAttestedConnector(options: ConnectorOptions): AttestedConnector {
  let attested: { certificate: Uint8Array; until: number } | undefined;
  let attesting: Promise<void> | undefined;

  const attest = (): Promise<void> => {
    attesting ??= options
      .attest()
      .then((certificate) => {
        attested = { certificate, until: options.clock.now() + options.evidenceMs };
      })
      .finally(() => {
        attesting = undefined;
      });
    return attesting;
  };

  const dial = async (certificate: Uint8Array): Promise<TLSSocket | 'differs'> => {
    let differs = false;
    try {
      const socket = await dialTls({
        ...options.endpoint,
        serverName: options.serverName,
        roots: options.roots,
        credential: await options.credential(),
        alpn: options.alpn,
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

  const connect = async (): Promise<TLSSocket> => {
    // Twice: an enclave that renewed its certificate differs once, and is attested anew.
    for (let turn = 0; turn < 2; turn += 1) {
      if (attested === undefined || attested.until <= options.clock.now() || turn > 0) await attest();
      const socket = attested === undefined ? 'differs' : await dial(attested.certificate);
      if (socket !== 'differs') return socket;
    }
    throw new Failure(
      'verdict',
      'live-certificate-differs',
      'the enclave shows another certificate than the attested one',
      'somebody stands between; do not go on',
    );
  };

  return { attest, connect };
}
