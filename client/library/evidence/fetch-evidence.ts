import { toBase64url } from '../../../formats/bytes/base64.ts';
import { type Bundle, decodeBundle } from '../../../formats/evidence/bundle.ts';
import { EVIDENCE_ALPN, EVIDENCE_PATHS, MEDIA_TYPES } from '../../../names/wire.ts';
import type { Address } from '../../../platform/config/option.ts';
import { dialTls } from '../../../platform/tls/dial.ts';
import { peerCertificate } from '../../../platform/tls/peer.ts';
import { Failure } from '../../failure.ts';
import { getOverEvidence } from './evidence-request.ts';

/** Evidence as the enclave itself gave it; nothing of it is believed yet. */
export interface FreshEvidence {
  readonly bundle: Bundle;
  /** DER of the certificate that the peer showed on the connection that the evidence came over. */
  readonly liveCertificate: Uint8Array;
}

/**
 * Asks the enclave itself for evidence, over ALPN enclave-evidence/1. The peer is not authenticated here: the verdict judges the certificate that it showed, with
 * everything else.
 * @param nonce 16 to 64 bytes
 * @throws Failure when the enclave gives none; Node's errors when it cannot be reached
 */
export async function fetchEvidence(
  endpoint: Address,
  serverName: string,
  nonce: Uint8Array,
  signal: AbortSignal,
): Promise<FreshEvidence> {
  const socket = await dialTls({
    ...endpoint,
    serverName,
    roots: 'unauthenticated',
    alpn: [EVIDENCE_ALPN],
    signal,
  });
  try {
    const liveCertificate = peerCertificate(socket);
    if (liveCertificate === undefined)
      throw new Failure('fault', 'evidence-no-certificate', 'the enclave showed no certificate', 'try again');
    const path = `${EVIDENCE_PATHS.evidence}?nonce=${toBase64url(nonce)}`;
    const body = await getOverEvidence(socket, serverName, path, MEDIA_TYPES.protobuf, signal);
    const bundle = decodeBundle(body);
    if (!bundle.ok) throw new Failure('fault', bundle.code, bundle.message, bundle.remedy);
    return { bundle: bundle.value, liveCertificate };
  } finally {
    socket.destroy();
  }
}
