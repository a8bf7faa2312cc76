import { ISSUERS, type Issuer } from '../../names/signers.ts';
import { toBase64 } from '../bytes/base64.ts';
import { toHex, toUtf8 } from '../bytes/bytes.ts';
import { canonicalJson } from '../bytes/canonical-json.ts';
import { type Result, refuse, success } from '../bytes/result.ts';
import type { Crypto } from '../crypto/crypto.ts';
import { parseCertificate } from '../x509/certificate.ts';
import type { EvidenceCode } from './evidence-code.ts';
import { base64, list, object, readJson } from './json-shape.ts';

const MAX_ROOTS_BYTES = 65_536;
const MAX_ROOTS_PER_ISSUER = 8;

/** Root certificates by issuer, DER. */
export type Roots = Readonly<Record<Issuer, readonly Uint8Array[]>>;

const LIST = list(base64(1, 8192), 1, MAX_ROOTS_PER_ISSUER);
/** Of roots.json and of the member `roots` of a trust document. */
export const ROOTS_SHAPE = object({ system: LIST, enclaves: LIST, users: LIST, 'attestation-keys': LIST });

/** Root certificates as JSON members: issuer to base64 of DER. */
export function rootsToMembers(roots: Roots): Record<string, string[]> {
  return Object.fromEntries(ISSUERS.map((issuer) => [issuer, roots[issuer].map(toBase64)]));
}

/** The text of roots.json in its one form (RFC 8785): what ConfigMap, sidecar environment and operator's file hold. */
export function rootsToJson(roots: Roots): string {
  return canonicalJson(rootsToMembers(roots));
}

/** What keeps a set of roots from being one: every root is a P-256 CA certificate. Undefined when nothing does. */
export function rootsProblem(roots: Roots): string | undefined {
  for (const issuer of ISSUERS)
    for (const der of roots[issuer]) {
      const parsed = parseCertificate(der);
      if (!parsed.ok) return `${issuer}: ${parsed.message}`;
      const { extensions, keyKind } = parsed.value;
      if (extensions.basicConstraints?.ca !== true) return `${issuer}: a certificate that is no CA`;
      if (keyKind !== 'p256') return `${issuer}: a key that is not P-256`;
    }
  return undefined;
}

/** Reads roots.json: all four issuers, 1 to 8 certificates each (an empty set refuses), at most 64 KiB. */
export function parseRoots(text: string | Uint8Array): Result<Roots, EvidenceCode> {
  const read = readJson(text, ROOTS_SHAPE, { maxBytes: MAX_ROOTS_BYTES, maxDepth: 2 }, 'roots.json');
  if (!read.ok) return read;
  const problem = rootsProblem(read.value);
  return problem === undefined
    ? success(read.value)
    : refuse('evidence-out-of-bounds', `roots.json: ${problem}`, 'take the roots from the operator again');
}

/** Lower-case hex SHA-256 of exactly this text (`rootsToJson`): the name of a set of roots. */
export function rootsSha256(crypto: Crypto, text: string): string {
  return toHex(crypto.hash('sha256', toUtf8(text)));
}
