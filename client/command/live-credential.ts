import type { Credential } from '../../platform/identity/credential.ts';
import type { Clock } from '../../platform/run/clock.ts';

export interface LiveCredentialOptions {
  readonly clock: Clock;
  /** What is kept and still good; `fresh` when it need not be renewed yet. */
  held(): { readonly credential: Credential; readonly fresh: boolean } | undefined;
  /** Asks the server, which may take its time or be away. */
  renew(): Promise<Credential>;
}

/** A server that does not renew is not asked with every connection. */
const AGAIN_MS = 60_000;

/**
 * The user's credential for a command that runs long. The first time a renewal that is due is waited for; later ones go on beside the connections, which use what is
 * good meanwhile: the server being away must not hold up an enclave that is there.
 */
export function liveCredential({ clock, held, renew }: LiveCredentialOptions): () => Promise<Credential> {
  let renewing: Promise<Credential> | undefined;
  let triedAt = Number.NEGATIVE_INFINITY;
  const start = (): Promise<Credential> => {
    triedAt = clock.now();
    renewing ??= renew().finally(() => {
      renewing = undefined;
    });
    return renewing;
  };
  return async () => {
    const kept = held();
    if (kept?.fresh) return kept.credential;
    if (kept === undefined || triedAt === Number.NEGATIVE_INFINITY) return start();
    // Whether it succeeds shows in what is held; that it failed was told by whoever tried.
    if (clock.now() - triedAt >= AGAIN_MS) start().catch(() => undefined);
    return kept.credential;
  };
}
