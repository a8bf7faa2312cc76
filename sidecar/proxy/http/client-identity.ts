import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { parseCertificate } from '../../../formats/x509/certificate.ts';
import { peerCertificate } from '../../../platform/tls/peer.ts';
import type { Allowed } from '../../access/access.ts';

/** What of a connection goes into the identity fields, read once a connection. */
export interface ConnectionFacts {
  readonly enclave: string;
  readonly address: string;
  /** `X-Forwarded-Client-Cert` in Envoy's form; undefined without a client certificate. */
  readonly forwardedClientCert: string | undefined;
}

/** Visible ASCII stays, the rest is percent-encoded: a name never becomes two header fields. */
function safe(text: string): string {
  return text.replaceAll(/[^\x21-\x24\x26-\x7e]/gu, (character) =>
    encodeURIComponent(character.toWellFormed()),
  );
}

/** A common name in a distinguished name (RFC 4514, 2.4): what has a meaning there, and every byte that is no visible ASCII, is escaped in hexadecimal. */
function nameValue(text: string): string {
  let escaped = '';
  for (const byte of Buffer.from(text)) {
    const plain = byte > 0x20 && byte < 0x7f && !'"+,;<=>\\#'.includes(String.fromCharCode(byte));
    escaped += plain ? String.fromCharCode(byte) : `\\${byte.toString(16).padStart(2, '0').toUpperCase()}`;
  }
  return escaped;
}

/** The SPIFFE ID in our own certificate, which every certificate of a pod has; Node copies the certificate with each question, so one is enough. */
export function createOwnName(): (socket: TLSSocket) => string | undefined {
  let name: string | undefined;
  return (socket) => {
    if (name !== undefined) return name;
    const own = parseCertificate(socket.getX509Certificate()?.raw ?? new Uint8Array());
    name = own.ok ? own.value.extensions.subjectAltName?.uri[0] : undefined;
    return name;
  };
}

function forwardedClientCert(socket: TLSSocket, by: string | undefined): string | undefined {
  const der = peerCertificate(socket);
  if (der === undefined) return undefined;
  const client = parseCertificate(der);
  if (!client.ok) return undefined;
  const { commonName, extensions } = client.value;
  const { uri = [], dns = [] } = extensions.subjectAltName ?? {};
  // A SAN is not ours to have checked for what separates elements here.
  const element = (key: string, value: string) => `${key}=${safe(value).replaceAll(/[",;=]/g, encodeHex)}`;
  return [
    ...(by === undefined ? [] : [element('By', by)]),
    `Hash=${createHash('sha256').update(der).digest('hex')}`,
    `Subject="${commonName === undefined ? '' : `CN=${nameValue(commonName)}`}"`,
    ...uri.map((each) => element('URI', each)),
    ...dns.map((each) => element('DNS', each)),
  ].join(';');
}

function encodeHex(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/**
 * @param by our own SPIFFE ID
 * @param tells whether the certificate was judged good: one that was not says nothing to the app
 */
export function connectionFacts(
  enclave: string,
  socket: TLSSocket,
  tells: boolean,
  by: string | undefined,
): ConnectionFacts {
  return {
    enclave: safe(enclave),
    address: socket.remoteAddress ?? '',
    forwardedClientCert: tells ? forwardedClientCert(socket, by) : undefined,
  };
}

/** The fields that only we set, as name, value, name, value. */
export function identityHeaders(facts: ConnectionFacts, allowed: Allowed): readonly string[] {
  const headers = [
    'X-Enclave-Id',
    facts.enclave,
    'X-Enclave-User',
    safe(allowed.user),
    'X-Enclave-Access',
    allowed.via,
  ];
  if (allowed.keySha256 !== undefined) headers.push('X-Enclave-Key-Sha256', allowed.keySha256);
  if (facts.forwardedClientCert !== undefined)
    headers.push('X-Forwarded-Client-Cert', facts.forwardedClientCert);
  headers.push('X-Forwarded-For', facts.address, 'X-Forwarded-Proto', 'https');
  return headers;
}
