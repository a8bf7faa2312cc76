import { toBase64 } from '../bytes/base64.ts';
import { toHex, toUtf8 } from '../bytes/bytes.ts';
import { type Result, refuse, success } from '../bytes/result.ts';
import { Writer } from '../bytes/writer.ts';
import type { Crypto } from '../crypto/crypto.ts';
import type { EvidenceCode } from './evidence-code.ts';
import { base64, integer, object, oneOf, readJson, type Shape, sha256Hex, text } from './json-shape.ts';

export const MAX_GRANT_BYTES = 4096;
export const GRANT_VERSION = 'enclave-grant/1';
export const GRANT_REVOCATION_VERSION = 'enclave-grant-revoke/1';
export type GrantVersion = typeof GRANT_VERSION | typeof GRANT_REVOCATION_VERSION;

/** The owner lets another key connect, or takes that back (docs/evidence-format.md). */
export interface Grant {
  readonly v: GrantVersion;
  readonly enclave: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly ownerKey: Uint8Array;
  /** Lower-case hex SHA-256 of the granted key's SPKI. */
  readonly keySha256: string;
  readonly user: string;
  /** Unix seconds. */
  readonly notAfter: number;
}

const NAME = text(/^[\x21-\x7e]+$/, 253, 'a name of 1 to 253 visible characters');
const SHAPE = object({
  v: oneOf(GRANT_VERSION, GRANT_REVOCATION_VERSION),
  enclave: NAME,
  ownerKey: base64(1, 1024),
  keySha256: sha256Hex,
  user: text(/^[^\p{Cc}]+$/u, 128, 'a user name'),
  notAfter: integer(0, 253_402_300_799),
}) satisfies Shape<unknown>;

/** UTF-8 JSON of a grant, members in the order of the type. @throws RangeError when `parseGrant` would refuse it */
export function encodeGrant(grant: Grant): Uint8Array {
  const { v, enclave, ownerKey, keySha256, user, notAfter } = grant;
  const bytes = toUtf8(
    JSON.stringify({ v, enclave, ownerKey: toBase64(ownerKey), keySha256, user, notAfter }),
  );
  const parsed = parseGrant(bytes, v);
  if (!parsed.ok) throw new RangeError(parsed.message);
  return bytes;
}

/** Reads a grant or a revocation, whichever `version` says; closed schema, at most 4 KiB. The signature is a separate check. */
export function parseGrant(
  bytes: Uint8Array,
  version: GrantVersion = GRANT_VERSION,
): Result<Grant, EvidenceCode> {
  const read = readJson(bytes, SHAPE, { maxBytes: MAX_GRANT_BYTES, maxDepth: 1 }, 'the grant');
  if (read.ok && read.value.v !== version)
    return refuse(
      'evidence-out-of-bounds',
      `the grant: version ${read.value.v}`,
      `give one of version ${version}`,
    );
  return read;
}

/** What the owner key signs with ECDSA and SHA-256: `version || len32(json) || json`. */
export function grantMessage(json: Uint8Array, version: GrantVersion = GRANT_VERSION): Uint8Array {
  return new Writer().bytes(toUtf8(version)).sized32(json).finish();
}

/**
 * Reads a grant whose signature (ECDSA with SHA-256, DER) its own owner key made, and whose owner key is the one
 * expected. Enclave, granted key and date are the caller's to compare.
 * @param ownerKeySha256 lower-case hex
 */
export function openGrant(
  crypto: Crypto,
  json: Uint8Array,
  signature: Uint8Array,
  ownerKeySha256: string,
  version: GrantVersion = GRANT_VERSION,
): Result<Grant, EvidenceCode> {
  const parsed = parseGrant(json, version);
  if (!parsed.ok) return parsed;
  const { ownerKey } = parsed.value;
  if (toHex(crypto.hash('sha256', ownerKey)) !== ownerKeySha256)
    return refuse(
      'evidence-untrusted',
      'the grant is by another owner key',
      'ask the owner of the enclave for a grant',
    );
  if (!crypto.verifySignature(ownerKey, 'ecdsa-sha256', grantMessage(json, version), signature))
    return refuse(
      'evidence-untrusted',
      'the owner key did not sign this grant',
      'ask the owner of the enclave for a grant',
    );
  return success(parsed.value);
}
