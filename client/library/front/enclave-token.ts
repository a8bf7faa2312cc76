import type { Clock } from '../../../platform/run/clock.ts';
import { Failure } from '../../failure.ts';
import type { FrontClient } from './front-client.ts';

/** A token of the user for one enclave with `auth: jwt`. */
export interface EnclaveToken {
  /** Sent with each request as `authorization: Bearer`, or as `x-enclave-token` where the app has a use for `authorization`. */
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Who asks front for a token, and for which enclave. */
export interface EnclaveTokenRequest {
  readonly client: Pick<FrontClient, 'issueEnclaveToken'>;
  /** Of the session. */
  readonly token: string;
  readonly enclave: string;
  /** The DNS name that the enclave is attested under: a token for any other is refused. */
  readonly serverName: string;
  readonly signal: AbortSignal;
}

/** Asks front for a token. @throws RpcError; Failure when it is for another name */
export async function issueEnclaveToken(wanted: EnclaveTokenRequest): Promise<EnclaveToken> {
  const { client, token: session, enclave, signal } = wanted;
  const { token, expiresAt, serverName } = await client.issueEnclaveToken(
    { enclave },
    { token: session, signal, timeoutMs: 30_000 },
  );
  if (serverName !== wanted.serverName || expiresAt === undefined)
    throw new Failure(
      'fault',
      'token-unusable',
      `the server's token is for ${serverName.slice(0, 255)}, not for ${wanted.serverName}`,
      'ask the operator whether front and launcher have one enclave domain',
    );
  return { token, expiresAt: expiresAt.getTime() };
}

export interface LiveTokenOptions {
  readonly clock: Clock;
  issue(): Promise<EnclaveToken>;
}

/** A server that does not renew is not asked with every request. */
const AGAIN_MS = 10_000;

/** A token for requests over a long time: another one from two thirds of its life on; while the server is away, the one that is good. */
export function liveToken({ clock, issue }: LiveTokenOptions): () => Promise<string> {
  let held: { readonly token: string; readonly renewAt: number; readonly until: number } | undefined;
  let renewing: Promise<string> | undefined;
  let triedAt = Number.NEGATIVE_INFINITY;
  const ask = async (): Promise<string> => {
    const asked = clock.now();
    triedAt = asked;
    const { token, expiresAt } = await issue();
    const life = Math.max(0, expiresAt - Date.now());
    held = { token, renewAt: asked + (life * 2) / 3, until: asked + life };
    return token;
  };
  const renew = (): Promise<string> => {
    renewing ??= ask().finally(() => {
      renewing = undefined;
    });
    return renewing;
  };
  return async () => {
    const now = clock.now();
    if (held === undefined || now >= held.until) return renew();
    // Whether it succeeds shows in what is held.
    if (now >= held.renewAt && now - triedAt >= AGAIN_MS) renew().catch(() => undefined);
    return held.token;
  };
}
