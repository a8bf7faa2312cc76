import { p256, p384 } from '@noble/curves/nist.js';
import { sha256, sha384 } from '@noble/hashes/sha2.js';
import type { Crypto, HashAlgorithm, SignatureScheme } from '../../../client/exports/verify.ts';

const HASHES = { sha256, sha384 };
/** DER of AlgorithmIdentifier and the BIT STRING's header, and what follows is the point (RFC 5480, 2). */
const P256_PREFIX = '3059301306072a8648ce3d020106082a8648ce3d030107034200';
const P384_PREFIX = '3076301006072a8648ce3d020106052b81040022036200';
/** DigestInfo without the digest (RFC 8017, 9.2, note 1). */
const DIGEST_INFO = {
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
};

const hex = (bytes: Uint8Array): string => [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
const number = (bytes: Uint8Array): bigint => BigInt(`0x${hex(bytes) || '0'}`);

function bytesOf(value: bigint, length: number): Uint8Array {
  const digits = value.toString(16).padStart(length * 2, '0');
  return Uint8Array.from({ length }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

/** Content of the DER element at `at`, and where the next begins. The vectors' keys are well-formed: verification has read them before. */
function element(der: Uint8Array, at: number): { content: Uint8Array; next: number } {
  const first = der[at + 1] ?? 0;
  const octets = first < 0x80 ? 0 : first & 0x7f;
  const length = octets === 0 ? first : Number(number(der.subarray(at + 2, at + 2 + octets)));
  const start = at + 2 + octets;
  return { content: der.subarray(start, start + length), next: start + length };
}

function rsaKey(spki: Uint8Array): { modulus: bigint; exponent: bigint; length: number } {
  const whole = element(spki, 0).content;
  const bits = element(whole, element(whole, 0).next).content.subarray(1);
  const key = element(bits, 0).content;
  const modulus = element(key, 0);
  const magnitude = modulus.content[0] === 0 ? modulus.content.subarray(1) : modulus.content;
  return {
    modulus: number(magnitude),
    exponent: number(element(key, modulus.next).content),
    length: magnitude.length,
  };
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let square = base, left = exponent; left > 0n; left >>= 1n, square = (square * square) % modulus)
    if (left & 1n) result = (result * square) % modulus;
  return result;
}

function mask(hash: HashAlgorithm, seed: Uint8Array, length: number): Uint8Array {
  const out: number[] = [];
  for (let counter = 0; out.length < length; counter++)
    out.push(...HASHES[hash](Uint8Array.from([...seed, ...bytesOf(BigInt(counter), 4)])));
  return Uint8Array.from(out.slice(0, length));
}

/** EMSA-PSS-VERIFY (RFC 8017, 9.1.2) with a salt of the hash's length, or a TPM's: the longest that fits; moduli of whole octets only. */
function isPss(hash: HashAlgorithm, encoded: Uint8Array, digest: Uint8Array, byTpm: boolean): boolean {
  const size = digest.length;
  const masked = encoded.subarray(0, encoded.length - size - 1);
  const proof = encoded.subarray(encoded.length - size - 1, -1);
  if (encoded.at(-1) !== 0xbc || ((encoded[0] ?? 0xff) & 0x80) !== 0) return false;
  const block = mask(hash, proof, masked.length).map((octet, i) => octet ^ (masked[i] ?? 0));
  block[0] = (block[0] ?? 0) & 0x7f;
  const one = block.indexOf(1);
  const salt = block.subarray(one + 1);
  if (one < 0 || block.subarray(0, one).some((octet) => octet !== 0)) return false;
  if (salt.length !== size && !(byTpm && one === 0)) return false;
  return hex(HASHES[hash](Uint8Array.from([...new Uint8Array(8), ...digest, ...salt]))) === hex(proof);
}

function verifyRsa(
  spki: Uint8Array,
  scheme: SignatureScheme,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { modulus, exponent, length } = rsaKey(spki);
  if (signature.length !== length || number(signature) >= modulus) return false;
  const encoded = bytesOf(power(number(signature), exponent, modulus), length);
  const hash = scheme.endsWith('sha256') ? 'sha256' : 'sha384';
  if (scheme.includes('rsapss')) return isPss(hash, encoded, digest, scheme.startsWith('tpm-'));
  const tail = `00${DIGEST_INFO[hash]}${hex(digest)}`;
  return hex(encoded) === `0001${tail.padStart((length - 2) * 2, 'f')}`;
}

function verifySignature(
  spki: Uint8Array,
  scheme: SignatureScheme,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const digest = HASHES[scheme.endsWith('sha256') ? 'sha256' : 'sha384'](message);
  const key = hex(spki);
  const [curve, prefix] = key.startsWith(P256_PREFIX) ? [p256, P256_PREFIX] : [p384, P384_PREFIX];
  try {
    if (scheme.includes('rsa')) return verifyRsa(spki, scheme, digest, signature);
    if (!key.startsWith(prefix)) return false;
    const point = spki.subarray(prefix.length / 2);
    return curve.verify(signature, digest, point, { prehash: false, lowS: false, format: 'der' });
  } catch {
    return false;
  }
}

/** Vectors have most signatures in common. */
const known = new Map<string, boolean>();

/** The seam without Node.js: what a browser's build could bring. For tests: nothing here is made for secrets or for speed. */
export const nobleCrypto: Crypto = {
  hash: (algorithm, bytes) => HASHES[algorithm](bytes),
  verifySignature: (spki, scheme, message, signature) => {
    const what = [spki, message, signature].map(hex).join(scheme);
    const verified = known.get(what) ?? verifySignature(spki, scheme, message, signature);
    known.set(what, verified);
    return verified;
  },
};
