import { ServerCredentials } from '@grpc/grpc-js';
import type { Live } from '../run/live.ts';
import { type ServerTls, serverTlsOptions } from '../tls/server-options.ts';

/**
 * gRPC server credentials that follow a renewal: new connections get the newest certificate and trust set. grpc-js's own ones take no TLS version, ask for no
 * client certificate without requiring it, and fall back to public authorities.
 */
export class LiveServerCredentials extends ServerCredentials {
  readonly #stop: () => void;

  constructor(settings: Live<ServerTls>, onTrouble: (error: unknown) => void) {
    const first = serverTlsOptions(settings.current());
    super(first, first);
    this.#stop = settings.onChange((next) => {
      try {
        this.updateSecureContextOptions(serverTlsOptions(next));
      } catch (error) {
        onTrouble(error);
      }
    });
  }

  stop(): void {
    this.#stop();
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
