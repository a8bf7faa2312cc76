import { equal, toHex } from '../../formats/bytes/bytes.ts';
import type { Crypto, SignatureScheme } from '../../formats/crypto/crypto.ts';
import {
  decodePublic,
  objectName,
  type Public,
  primaryQualifiedName,
  publicToSpki,
} from '../../formats/tpm/public.ts';
import { type PublicKeyKind, publicKeyKind } from '../../formats/x509/public-key.ts';
import { fails, holds, type Outcome } from '../check-log.ts';
import type { Quote } from './quote-signature.ts';

/** TPM_RH_ENDORSEMENT (TPM 2.0 Library part 2, 7.4): only its keys sign reset counts that are not obfuscated. */
const ENDORSEMENT_HIERARCHY = 0x4000000b;

/** The key that signed the quote, and what it is called. */
export interface AttestationKey {
  readonly attributes: Public['attributes'];
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  readonly kind: PublicKeyKind;
  readonly scheme: SignatureScheme;
  /** Lower-case hex (part 1, 16). */
  readonly name: string;
  /** As a primary key of the endorsement hierarchy. */
  readonly qualifiedName: Uint8Array;
}

/** Signature schemes of a key, by kind of key and what its parameters say. SHA-1 is in no table, nor is a missing scheme. */
const SCHEMES: ReadonlyMap<string, SignatureScheme> = new Map([
  ['rsa rsassa sha256', 'rsassa-sha256'],
  ['rsa rsassa sha384', 'rsassa-sha384'],
  ['rsa rsapss sha256', 'tpm-rsapss-sha256'],
  ['rsa rsapss sha384', 'tpm-rsapss-sha384'],
  ['ecc ecdsa sha256', 'ecdsa-sha256'],
  ['ecc ecdsa sha384', 'ecdsa-sha384'],
]);

/** TPMA_OBJECT bits (part 2, 8.3) that make a key sign only what its TPM produced and never leave it. */
const ATTRIBUTES: readonly (readonly [keyof Public['attributes'], boolean])[] = [
  ['restricted', true],
  ['sign', true],
  ['decrypt', false],
  ['fixedTPM', true],
  ['fixedParent', true],
  ['sensitiveDataOrigin', true],
];
const written = (name: string, set: boolean) => (set ? name : `not ${name}`);
const EXPECTED_ATTRIBUTES = ATTRIBUTES.map(([name, set]) => written(name, set)).join(', ');

/** A TPMT_PUBLIC as a key that can be judged: its type, size and scheme are of the closed tables. */
export function readAttestationKey(bytes: Uint8Array, crypto: Crypto): Outcome<AttestationKey> {
  const decoded = decodePublic(bytes);
  if (!decoded.ok) return fails('attestation-key-malformed', 'a TPMT_PUBLIC', decoded.message);
  const key = decoded.value;
  const spki = publicToSpki(key);
  if (!spki.ok)
    return fails('attestation-key-malformed', 'a key of the size that its parameters say', spki.message);
  const kind = publicKeyKind(spki.value);
  if (kind === undefined)
    return fails('attestation-key-weak', 'RSA 2048, 3072 or 4096, P-256 or P-384', described(key));

  const { kind: type, scheme: parameters, symmetric } = key.parameters;
  const hash = 'hash' in parameters ? parameters.hash : 'no hash';
  const scheme = SCHEMES.get(`${type} ${parameters.kind} ${hash}`);
  if (scheme === undefined || symmetric.kind !== 'null')
    return fails(
      'attestation-key-scheme',
      'a signing scheme of the key with SHA-256 or SHA-384',
      `${parameters.kind} with ${hash}, symmetric ${symmetric.kind}`,
    );
  const name = objectName(crypto, key);
  const qualified = primaryQualifiedName(crypto, key, ENDORSEMENT_HIERARCHY);
  if (!name.ok || !qualified.ok)
    return fails('attestation-key-scheme', 'a name by SHA-256 or SHA-384', `a name by ${key.nameAlg}`);
  const { attributes } = key;
  const value = {
    attributes,
    spki: spki.value,
    kind,
    scheme,
    name: toHex(name.value),
    qualifiedName: qualified.value,
  };
  return holds(value, EXPECTED_ATTRIBUTES, `${EXPECTED_ATTRIBUTES}; ${kind}, ${scheme}`);
}

function described({ parameters }: Public): string {
  return parameters.kind === 'rsa'
    ? `RSA ${parameters.keyBits}, exponent ${parameters.exponent || 65537}`
    : parameters.curve;
}

/** Strength, scheme and attributes of the attestation key. */
export function checkAttestationKey(read: Outcome<AttestationKey>): Outcome<AttestationKey> {
  if (!read.ok) return read;
  const { attributes } = read.value;
  const wrong = ATTRIBUTES.filter(([name, set]) => attributes[name] !== set);
  return wrong.length === 0
    ? read
    : fails(
        'attestation-key-attributes',
        EXPECTED_ATTRIBUTES,
        wrong.map(([name, set]) => written(name, !set)).join(', '),
      );
}

/** qualifiedSigner of the quote is the qualified name of this key as a primary key of the endorsement hierarchy. */
export function checkQualifiedSigner(key: AttestationKey, quote: Quote): Outcome<undefined> {
  const { qualifiedName } = key;
  const { qualifiedSigner } = quote.attest;
  return equal(qualifiedName, qualifiedSigner)
    ? holds(undefined, qualifiedName)
    : fails('qualified-signer-differs', toHex(qualifiedName), toHex(qualifiedSigner));
}
