import { equal } from '../bytes/bytes.ts';
import { DerReader } from './der-reader.ts';
import { TAGS } from './der-tags.ts';

/** Keys that this project knows: RSA 2048, 3072, 4096, P-256, P-384 and nothing else. */
export type PublicKeyKind = 'rsa-2048' | 'rsa-3072' | 'rsa-4096' | 'p256' | 'p384';

const CURVES: ReadonlyMap<string, { kind: PublicKeyKind; pointBytes: number }> = new Map([
  ['1.2.840.10045.3.1.7', { kind: 'p256', pointBytes: 65 }],
  ['1.3.132.0.34', { kind: 'p384', pointBytes: 97 }],
]);
const RSA: ReadonlyMap<number, PublicKeyKind> = new Map([
  [256, 'rsa-2048'],
  [384, 'rsa-3072'],
  [512, 'rsa-4096'],
]);

/**
 * Kind of a SubjectPublicKeyInfo (RFC 3279 2.3.1, RFC 5480): id-ecPublicKey with a named curve and an uncompressed
 * point, or rsaEncryption with an odd exponent from 65537 and a modulus of exactly 2048, 3072 or 4096 bits.
 * Undefined for everything else. Whether a point is on its curve is the signature check's business.
 */
export function publicKeyKind(spki: Uint8Array): PublicKeyKind | undefined {
  const outer = new DerReader(spki);
  const info = outer.sequence('key');
  const algorithm = info.sequence('key algorithm');
  const type = algorithm.objectIdentifier('key algorithm');
  let kind: PublicKeyKind | undefined;
  if (type === '1.2.840.10045.2.1') {
    const curve = CURVES.get(algorithm.objectIdentifier('curve'));
    const point = info.bitString('point');
    if (point.length === curve?.pointBytes && point[0] === 4) kind = curve.kind;
  } else if (type === '1.2.840.113549.1.1.1') {
    algorithm.content(TAGS.null, 'parameters');
    const key = info.over(info.bitString('RSA key'));
    const numbers = key.sequence('RSA key');
    const modulus = numbers.integer('modulus', 513);
    const exponent = numbers.smallInteger('exponent');
    numbers.end('RSA key');
    key.end('RSA key');
    if (modulus[0] === 0 && (modulus[1] ?? 0) >= 0x80 && exponent >= 65537 && exponent % 2 === 1)
      kind = RSA.get(modulus.length - 1);
  }
  algorithm.end('key algorithm');
  info.end('key');
  outer.end('key');
  return outer.fault ? undefined : kind;
}

/** rsaEncryption, and id-RSAES-OAEP (RFC 4055, 4.1), which makers of TPMs write for some RSA endorsement keys. */
const RSA_KEYS: readonly string[] = ['1.2.840.113549.1.1.1', '1.2.840.113549.1.1.7'];

/** RSAPublicKey (RFC 8017, A.1.1) of a SubjectPublicKeyInfo, whichever of these it is for; undefined for other keys. */
function rsaPublicKey(spki: Uint8Array): Uint8Array | undefined {
  const outer = new DerReader(spki);
  const info = outer.sequence('key');
  const type = info.sequence('key algorithm').objectIdentifier('key algorithm');
  const key = info.bitString('key');
  info.end('key');
  outer.end('key');
  return outer.fault || !RSA_KEYS.includes(type) ? undefined : key;
}

/** Whether two SubjectPublicKeyInfos (DER) hold one key: the same bytes, or one RSA key for another algorithm. */
export function isSameKey(a: Uint8Array, b: Uint8Array): boolean {
  if (equal(a, b)) return true;
  const [first, second] = [rsaPublicKey(a), rsaPublicKey(b)];
  return first !== undefined && second !== undefined && equal(first, second);
}
