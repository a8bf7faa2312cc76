import type { Identity } from '../platform/identity/identity.ts';
import { type Live, liveValue } from '../platform/run/live.ts';
import type { ServerTls } from '../platform/tls/server-options.ts';

/** The server's TLS as it is now: its own certificate, and whom it asks for one. */
export function servingTls(
  identity: Identity,
  clientRoots: Live<readonly Uint8Array[]> | undefined,
): Live<ServerTls> {
  const now = (): ServerTls => ({
    credential: identity.current(),
    ...(clientRoots && { clientCertificates: { mode: 'requested', roots: clientRoots.current() } }),
  });
  const tls = liveValue(now());
  identity.onChange(() => tls.set(now()));
  clientRoots?.onChange(() => tls.set(now()));
  return tls;
}
