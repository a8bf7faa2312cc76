import type { Server } from 'node:tls';
import type { Live } from '../run/live.ts';
import { type ServerTls, serverTlsOptions } from './server-options.ts';

/**
 * New connections get the newest certificate and trust set; those that stand keep theirs. Returns what ends it. ALPN and whether a client certificate is asked for
 * are fixed when the server is made: only credential and roots follow.
 */
export function reloadOnChange(
  server: Server,
  settings: Live<ServerTls>,
  onTrouble: (error: unknown) => void,
): () => void {
  return settings.onChange((next) => {
    try {
      server.setSecureContext(serverTlsOptions(next));
    } catch (error) {
      // The old context stays: worse than the new one, better than none.
      onTrouble(error);
    }
  });
}
