import { EVIDENCE_ALPN } from '../../names/wire.ts';

/** What http mode speaks (RFC 7301, 6; RFC 9113, 3.2). */
const HTTP = ['h2', 'http/1.1'];

/**
 * Chooses by ALPN (RFC 7301) what a connection is. The evidence endpoint is asked for by exactly `enclave-evidence/1` and nothing beside it, so that nobody gets there by a
 * fallback. In tcp mode it is the first protocol that the client offers and the pod's annotation lists; in http mode HTTP/2 or HTTP/1.1.
 * @returns undefined when nothing fits: the handshake ends
 */
export function chooseProtocol(
  offered: readonly string[],
  mode: 'tcp' | 'http',
  listed: readonly string[],
): string | undefined {
  if (offered.length === 1 && offered[0] === EVIDENCE_ALPN) return EVIDENCE_ALPN;
  const known = mode === 'http' ? HTTP : listed.filter((name) => name !== EVIDENCE_ALPN);
  return offered.find((name) => known.includes(name));
}
