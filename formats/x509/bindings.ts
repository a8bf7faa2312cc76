import { fromHex, toHex } from '../bytes/bytes.ts';
import type { DerReader } from './der-reader.ts';
import { contextTag, TAGS } from './der-tags.ts';
import { element, octetString, sequence, smallInteger, utf8String } from './der-writer.ts';

/** What the certificate service verified of an enclave's pod. */
export interface EnclaveBinding {
  readonly podUid: string;
  readonly enclave: string;
  readonly node: string;
  /** Lower-case hex SHA-256 of the owner key's SPKI; absent for `auth: jwt` without an owner. */
  readonly ownerKeySha256?: string | undefined;
}

/** Whose certificate it is and for which enclave; the grant as the owner signed it, when the key is not the owner's. */
export interface UserBinding {
  readonly enclave: string;
  readonly user: string;
  readonly grant?: Uint8Array | undefined;
  readonly grantSignature?: Uint8Array | undefined;
}

const TPM_TRUST_KINDS = ['vendor-root', 'listed', 'emulated'] as const;
export type TpmTrustKind = (typeof TPM_TRUST_KINDS)[number];

/** How the TPM of an attestation key was trusted when its certificate was issued. */
export interface TpmTrust {
  /** Lower-case hex SHA-256 of the endorsement key's SPKI. */
  readonly ekSha256: string;
  readonly how: TpmTrustKind;
}

/** Of an enclave's or a user's name. */
export const MAX_NAME_BYTES = 253;
const MAX_GRANT_BYTES = 4096;
const MAX_SIGNATURE_BYTES = 256;

function sha256Bytes(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (bytes?.length !== 32) throw new RangeError(`${hex} is no SHA-256 in lower-case hex`);
  return bytes;
}

function sha256Hex(reader: DerReader, content: Uint8Array, what: string): string {
  if (content.length !== 32) reader.fail(`${what}: 32 bytes are expected`);
  return toHex(content);
}

/**
 * EnclaveBinding ::= SEQUENCE { podUid UTF8String, enclave UTF8String, node UTF8String,
 *   ownerKeySha256 [0] IMPLICIT OCTET STRING (SIZE (32)) OPTIONAL }
 */
export function encodeEnclaveBinding(binding: EnclaveBinding): Uint8Array {
  return sequence(
    utf8String(binding.podUid),
    utf8String(binding.enclave),
    utf8String(binding.node),
    ...(binding.ownerKeySha256 === undefined
      ? []
      : [element(contextTag(0), sha256Bytes(binding.ownerKeySha256))]),
  );
}

export function readEnclaveBinding(reader: DerReader): EnclaveBinding {
  const fields = reader.sequence('enclave binding');
  const podUid = fields.utf8('pod UID', MAX_NAME_BYTES);
  const enclave = fields.utf8('enclave', MAX_NAME_BYTES);
  const node = fields.utf8('node', MAX_NAME_BYTES);
  const ownerKeySha256 = fields.next(contextTag(0))
    ? sha256Hex(fields, fields.content(contextTag(0), 'owner key'), 'owner key')
    : undefined;
  fields.end('enclave binding');
  if (podUid === '' || enclave === '' || node === '') fields.fail('enclave binding: an empty name');
  return { podUid, enclave, node, ownerKeySha256 };
}

/**
 * UserBinding ::= SEQUENCE { enclave UTF8String, user UTF8String, grant Grant OPTIONAL }
 * Grant ::= SEQUENCE { grant OCTET STRING, signature OCTET STRING }
 */
export function encodeUserBinding(binding: UserBinding): Uint8Array {
  const { enclave, user, grant, grantSignature } = binding;
  if ((grant === undefined) !== (grantSignature === undefined))
    throw new RangeError('a grant and its signature go together');
  return sequence(
    utf8String(enclave),
    utf8String(user),
    ...(grant && grantSignature ? [sequence(octetString(grant), octetString(grantSignature))] : []),
  );
}

export function readUserBinding(reader: DerReader): UserBinding {
  const fields = reader.sequence('user binding');
  const enclave = fields.utf8('enclave', MAX_NAME_BYTES);
  const user = fields.utf8('user', MAX_NAME_BYTES);
  if (enclave === '' || user === '') fields.fail('user binding: an empty name');
  if (fields.done) return { enclave, user };
  const pair = fields.sequence('grant');
  const grant = pair.octetString('grant');
  const grantSignature = pair.octetString('grant signature');
  pair.end('grant');
  fields.end('user binding');
  if (grant.length > MAX_GRANT_BYTES || grantSignature.length > MAX_SIGNATURE_BYTES)
    fields.fail(`grant: at most ${MAX_GRANT_BYTES} bytes, signature ${MAX_SIGNATURE_BYTES}`);
  return { enclave, user, grant, grantSignature };
}

/**
 * TpmTrust ::= SEQUENCE { ekSha256 OCTET STRING (SIZE (32)),
 *   how ENUMERATED { vendorRoot (0), listed (1), emulated (2) } }
 */
export function encodeTpmTrust(trust: TpmTrust): Uint8Array {
  return sequence(
    octetString(sha256Bytes(trust.ekSha256)),
    smallInteger(TPM_TRUST_KINDS.indexOf(trust.how), TAGS.enumerated),
  );
}

export function readTpmTrust(reader: DerReader): TpmTrust {
  const fields = reader.sequence('TPM trust');
  const ekSha256 = sha256Hex(fields, fields.octetString('EK hash'), 'EK hash');
  const how = TPM_TRUST_KINDS[fields.smallInteger('how', TAGS.enumerated)];
  fields.end('TPM trust');
  if (how === undefined) fields.fail('TPM trust: unknown kind');
  return { ekSha256, how: how ?? 'emulated' };
}
