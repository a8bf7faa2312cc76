import { equal } from '../../../formats/bytes/bytes.ts';
import { EVIDENCE_ALPN, EVIDENCE_PATHS, MEDIA_TYPES } from '../../../names/wire.ts';
import type { Address } from '../../../platform/config/option.ts';
import type { Credential } from '../../../platform/identity/credential.ts';
import { dialTls } from '../../../platform/tls/dial.ts';
import { Failure } from '../../failure.ts';
import { getOverEvidence } from './evidence-request.ts';

export interface AttestedEnclave {
  readonly endpoint: Address;
  readonly serverName: string;
  /** Roots of enclaves, DER. */
  readonly roots: readonly Uint8Array[];
  /** The attested certificate, DER: nobody else is asked. */
  readonly certificate: Uint8Array;
}

/**
 * Asks an attested enclave what it would say to this certificate, or (`auth: jwt`) this token, on a data connection; TLS alone tells only that it hangs up.
 * @throws Failure of kind `not-allowed` with the sidecar's own code and reason
 */
export async function requireAccess(
  { endpoint, serverName, roots, certificate }: AttestedEnclave,
  shown: Credential | string,
  signal: AbortSignal,
): Promise<void> {
  const socket = await dialTls({
    ...endpoint,
    serverName,
    roots,
    ...(typeof shown !== 'string' && { credential: shown }),
    judgeServer: (live) =>
      equal(live, certificate) ? undefined : 'the live certificate is not the attested one',
    alpn: [EVIDENCE_ALPN],
    signal,
  });
  try {
    const body = await getOverEvidence(
      socket,
      serverName,
      EVIDENCE_PATHS.accessDecision,
      MEDIA_TYPES.json,
      signal,
      ...(typeof shown === 'string' ? [`Bearer ${shown}`] : []),
    );
    const answer: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    if (typeof answer !== 'object' || answer === null || !('allowed' in answer) || answer.allowed !== true)
      throw notAllowed(answer);
  } finally {
    socket.destroy();
  }
}

function notAllowed(answer: unknown): Failure {
  const text = (key: string, otherwise: string): string => {
    const value: unknown =
      typeof answer === 'object' && answer !== null ? Reflect.get(answer, key) : undefined;
    return typeof value === 'string' ? value.slice(0, 500) : otherwise;
  };
  return new Failure(
    'not-allowed',
    text('code', 'access-refused'),
    text('message', 'the enclave does not let you in'),
    text('remedy', ''),
  );
}
