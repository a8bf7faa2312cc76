import {
  constants,
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  privateEncrypt,
  sign,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import { concat, toUtf8 } from '../../formats/bytes/bytes.ts';
import { Writer } from '../../formats/bytes/writer.ts';
import type { HashAlgorithm } from '../../formats/crypto/crypto.ts';
import type { FixtureTpmKey } from './fixture-keys.ts';

/** Bits and public exponent of the committed keys (test/vectors/keys); the last two are refused as weak. */
const KEYS = {
  '2048': { bits: 2048, exponent: 0 },
  '3072': { bits: 3072, exponent: 0 },
  '4096': { bits: 4096, exponent: 0 },
  '1024': { bits: 1024, exponent: 0 },
  '2048-exponent-3': { bits: 2048, exponent: 3 },
} as const;
export type RsaKind = keyof typeof KEYS;

function digest(algorithm: HashAlgorithm, bytes: Uint8Array): Uint8Array {
  return new Uint8Array(hash(algorithm, bytes, 'buffer'));
}

function mask(algorithm: HashAlgorithm, seed: Uint8Array, length: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let made = 0; made < length; made += blocks[0]?.length ?? length)
    blocks.push(digest(algorithm, concat(seed, new Writer().u32(blocks.length).finish())));
  return concat(...blocks).slice(0, length);
}

/** EMSA-PSS (RFC 8017, 9.1.1) with a salt that is given, for a modulus of whole bytes whose first bit is set. */
function encodePss(
  algorithm: HashAlgorithm,
  message: Uint8Array,
  salt: Uint8Array,
  bytes: number,
): Uint8Array {
  const hashed = digest(algorithm, concat(new Uint8Array(8), digest(algorithm, message), salt));
  const block = concat(new Uint8Array(bytes - hashed.length - salt.length - 2), Uint8Array.of(1), salt);
  const pad = mask(algorithm, hashed, block.length);
  const masked = block.map((byte, i) => byte ^ (pad[i] ?? 0));
  masked[0] = (masked[0] ?? 0) & 0x7f;
  return concat(masked, hashed, Uint8Array.of(0xbc));
}

/** One of the private keys in test/vectors/keys. */
export function testKey(kind: RsaKind, owner: 'ak' | 'root'): KeyObject {
  const file = new URL(`../vectors/keys/${owner}-rsa-${kind}.pem`, import.meta.url);
  return createPrivateKey(readFileSync(file));
}

/**
 * One of the committed RSA test keys, as an attestation key or as a root's. Its signatures are the same in every run:
 * RSASSA by itself, RSAPSS because the salt is an input (by default as long as the hash).
 */
export function rsaKey(
  kind: RsaKind,
  scheme: 'rsassa' | 'rsapss' = 'rsassa',
  algorithm: HashAlgorithm = 'sha256',
  owner: 'ak' | 'root' = 'ak',
  saltBytes = algorithm === 'sha256' ? 32 : 48,
): FixtureTpmKey {
  const { bits, exponent } = KEYS[kind];
  const privateKey = testKey(kind, owner);
  const publicKey = createPublicKey(privateKey);
  const modulus = new Uint8Array(Buffer.from(publicKey.export({ format: 'jwk' }).n ?? '', 'base64url'));
  const salt = mask(algorithm, toUtf8('enclave-licensing fixture salt'), saltBytes);
  const signed = (message: Uint8Array) =>
    new Uint8Array(
      scheme === 'rsassa'
        ? sign(algorithm, message, { key: privateKey, padding: constants.RSA_PKCS1_PADDING })
        : privateEncrypt(
            { key: privateKey, padding: constants.RSA_NO_PADDING },
            encodePss(algorithm, message, salt, bits / 8),
          ),
    );
  return {
    spki: new Uint8Array(publicKey.export({ format: 'der', type: 'spki' })),
    scheme: `${scheme}-${algorithm}`,
    sign: signed,
    parameters: {
      kind: 'rsa',
      symmetric: { kind: 'null' },
      scheme: { kind: scheme, hash: algorithm },
      keyBits: bits,
      exponent,
    },
    unique: { kind: 'rsa', modulus },
    tpmSignature: (message) => ({ kind: scheme, hash: algorithm, signature: signed(message) }),
  };
}
