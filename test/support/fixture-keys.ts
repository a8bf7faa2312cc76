import { hash } from 'node:crypto';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { concat, fromHex, toUtf8 } from '../../formats/bytes/bytes.ts';
import type { HashAlgorithm, SignatureScheme } from '../../formats/crypto/crypto.ts';
import type { Public } from '../../formats/tpm/public.ts';
import type { Signature } from '../../formats/tpm/signature.ts';

/** A software key that signs as a TPM's or as an issuer's would. Keys and signatures are the same in every run. */
export interface FixtureKey {
  readonly spki: Uint8Array;
  readonly scheme: SignatureScheme;
  /** In the form of the crypto seam: DER of Ecdsa-Sig-Value, or the RSA signature. */
  sign(message: Uint8Array): Uint8Array;
}

/** One that can be shown as TPM structures. */
export interface FixtureTpmKey extends FixtureKey {
  readonly parameters: Public['parameters'];
  readonly unique: Public['unique'];
  tpmSignature(message: Uint8Array): Signature;
}

const CURVES = {
  p256: {
    curve: p256,
    name: 'P-256',
    prefix: '3059301306072a8648ce3d020106082a8648ce3d030107034200',
    size: 32,
  },
  p384: { curve: p384, name: 'P-384', prefix: '3076301006072a8648ce3d020106052b81040022036200', size: 48 },
  /** Refused: in no table of keys. */
  p521: {
    curve: p521,
    name: 'P-521',
    prefix: '30819b301006072a8648ce3d020106052b8104002303818600',
    size: 66,
  },
} as const;

function digest(algorithm: HashAlgorithm, bytes: Uint8Array): Uint8Array {
  return new Uint8Array(hash(algorithm, bytes, 'buffer'));
}

const points = new Map<string, Uint8Array>();

/** A key whose private part follows from `label`, and whose signatures are deterministic (RFC 6979). */
export function ecKey(
  label: string,
  kind: keyof typeof CURVES = 'p256',
  algorithm: HashAlgorithm = 'sha256',
): FixtureKey & FixtureTpmKey {
  const { curve, name, prefix, size } = CURVES[kind];
  const secret = concat(
    new Uint8Array(size - 32),
    digest('sha256', toUtf8(`enclave-licensing fixture ${label}`)),
  );
  const known = points.get(`${kind} ${label}`);
  const point = known ?? curve.getPublicKey(secret, false);
  points.set(`${kind} ${label}`, point);
  const signed = (message: Uint8Array, format: 'der' | 'compact') =>
    curve.sign(digest(algorithm, message), secret, { prehash: false, lowS: false, format });
  return {
    spki: concat(fromHex(prefix) ?? new Uint8Array(), point),
    scheme: `ecdsa-${algorithm}`,
    sign: (message) => signed(message, 'der'),
    parameters: {
      kind: 'ecc',
      symmetric: { kind: 'null' },
      scheme: { kind: 'ecdsa', hash: algorithm },
      curve: name,
      kdf: { kind: 'null' },
    },
    unique: { kind: 'ecc', x: point.slice(1, 1 + size), y: point.slice(1 + size) },
    tpmSignature: (message) => {
      const compact = signed(message, 'compact');
      return { kind: 'ecdsa', hash: algorithm, r: compact.slice(0, size), s: compact.slice(size) };
    },
  };
}
