import { fromHex } from '../bytes/bytes.ts';
import type { ObjectAttributes, Public } from './public.ts';

const NONE: ObjectAttributes = {
  fixedTPM: false,
  stClear: false,
  fixedParent: false,
  sensitiveDataOrigin: false,
  userWithAuth: false,
  adminWithPolicy: false,
  noDA: false,
  encryptedDuplication: false,
  restricted: false,
  decrypt: false,
  sign: false,
  x509sign: false,
};

const EK_ATTRIBUTES: ObjectAttributes = {
  ...NONE,
  fixedTPM: true,
  fixedParent: true,
  sensitiveDataOrigin: true,
  adminWithPolicy: true,
  restricted: true,
  decrypt: true,
};

/** PolicyA of the TCG EK Credential Profile (2.x, annex B): TPM2_PolicySecret(TPM_RH_ENDORSEMENT). */
const POLICY_A =
  fromHex('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa') ?? new Uint8Array();

const AES_128_CFB = { kind: 'aes', keyBits: '128', mode: 'cfb' } as const;

/** Template L-1 of the TCG EK Credential Profile: RSA-2048 storage key. */
export const EK_RSA_2048: Public = {
  nameAlg: 'sha256',
  attributes: EK_ATTRIBUTES,
  authPolicy: POLICY_A,
  parameters: { kind: 'rsa', symmetric: AES_128_CFB, scheme: { kind: 'null' }, keyBits: 2048, exponent: 0 },
  unique: { kind: 'rsa', modulus: new Uint8Array(256) },
};

/** Template L-2 of the TCG EK Credential Profile: ECC P-256 storage key. */
export const EK_ECC_P256: Public = {
  nameAlg: 'sha256',
  attributes: EK_ATTRIBUTES,
  authPolicy: POLICY_A,
  parameters: {
    kind: 'ecc',
    symmetric: AES_128_CFB,
    scheme: { kind: 'null' },
    curve: 'P-256',
    kdf: { kind: 'null' },
  },
  unique: { kind: 'ecc', x: new Uint8Array(32), y: new Uint8Array(32) },
};

/**
 * What an attestation key's attributes must be, every bit. `restricted` and `sign` without `decrypt`: it signs only
 * what the TPM itself made. `noDA`: there is no authorization value to guess, and somebody else's wrong guesses
 * must not stop quotes.
 */
export const AK_ATTRIBUTES: ObjectAttributes = {
  ...NONE,
  fixedTPM: true,
  fixedParent: true,
  sensitiveDataOrigin: true,
  userWithAuth: true,
  noDA: true,
  restricted: true,
  sign: true,
};

/** Template of the attestation key: ECDSA with SHA-256 over P-256, a primary key of the endorsement hierarchy. */
export const AK_ECDSA_P256: Public = {
  nameAlg: 'sha256',
  attributes: AK_ATTRIBUTES,
  authPolicy: new Uint8Array(0),
  parameters: {
    kind: 'ecc',
    symmetric: { kind: 'null' },
    scheme: { kind: 'ecdsa', hash: 'sha256' },
    curve: 'P-256',
    kdf: { kind: 'null' },
  },
  unique: { kind: 'ecc', x: new Uint8Array(0), y: new Uint8Array(0) },
};
