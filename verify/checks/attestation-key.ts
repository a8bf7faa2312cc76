import { equal, toHex } from '../../formats/bytes/bytes.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import {
  decodePublic,
  objectName,
  type Public,
  primaryQualifiedName,
  publicToSpki,
} from '../../formats/tpm/public.ts';
import { publicKeyKind } from '../../formats/x509/public-key.ts';
import { fails, holds, type Outcome } from '../check-log.ts';
import type { Quote } from './quote-signature.ts';

/** TPM_RH_ENDORSEMENT (TPM 2.0 Library part 2, 7.4): only its keys sign reset counts that are not obfuscated. */
const ENDORSEMENT_HIERARCHY = 0x4000000b;

/** The key that signed the quote, and what it is called. */
export interface AttestationKey {
  readonly public: Public;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** Lower-case hex. */
  readonly name: string;
}

/** TPMA_OBJECT bits (part 2, 8.3) that make a key sign only what its TPM produced and never leave it. */
const ATTRIBUTES = {
  restricted: true,
  sign: true,
  decrypt: false,
  fixedTPM: true,
  fixedParent: true,
  sensitiveDataOrigin: true,
} as const;

/** Attributes, scheme and strength of the attestation key; SHA-1 is in no place accepted. */
export function checkAttestationKey(bundle: Bundle, quote: Quote, crypto: Crypto): Outcome<AttestationKey> {
  const decoded = decodePublic(bundle.attestationKeyPublic);
  if (!decoded.ok) return fails('attestation-key-malformed', 'a TPMT_PUBLIC', decoded.message);
  const key = decoded.value;
  const names = Object.keys(ATTRIBUTES) as (keyof typeof ATTRIBUTES)[];
  const wrong = names.filter((name) => key.attributes[name] !== ATTRIBUTES[name]);
  const written = (wanted: boolean) => (wanted ? '' : 'not ');
  const attributes = names.map((name) => `${written(ATTRIBUTES[name])}${name}`).join(', ');
  if (wrong.length > 0)
    return fails(
      'attestation-key-attributes',
      attributes,
      wrong.map((name) => `${written(!ATTRIBUTES[name])}${name}`).join(', '),
    );

  const { scheme, symmetric } = key.parameters;
  const expected = 'a scheme of the key with SHA-256 or SHA-384, that of the signature';
  const hash = 'hash' in scheme ? scheme.hash : 'none';
  const { kind, hash: signed } = quote.signature;
  if (
    scheme.kind !== kind ||
    hash !== signed ||
    symmetric.kind !== 'null' ||
    (hash !== 'sha256' && hash !== 'sha384')
  )
    return fails(
      'attestation-key-scheme',
      expected,
      `${scheme.kind} with ${hash}, signature ${kind} with ${signed}`,
    );
  const name = objectName(crypto, key);
  if (!name.ok) return fails('attestation-key-scheme', 'a name by SHA-256 or SHA-384', name.message);
  const spki = publicToSpki(key);
  const strength = spki.ok ? publicKeyKind(spki.value) : undefined;
  if (!spki.ok || strength === undefined)
    return fails(
      'attestation-key-weak',
      'RSA 2048, 3072 or 4096, P-256 or P-384',
      spki.ok ? 'another key' : spki.message,
    );
  return holds(
    { public: key, spki: spki.value, name: toHex(name.value) },
    attributes,
    `${strength}, ${kind} with ${hash}`,
  );
}

/** qualifiedSigner of the quote is the qualified name of this key as a primary key of the endorsement hierarchy. */
export function checkQualifiedSigner(key: AttestationKey, quote: Quote, crypto: Crypto): Outcome<undefined> {
  const expected = primaryQualifiedName(crypto, key.public, ENDORSEMENT_HIERARCHY);
  const actual = quote.attest.qualifiedSigner;
  if (!expected.ok)
    return fails('qualified-signer-differs', 'a name by SHA-256 or SHA-384', expected.message);
  return equal(expected.value, actual)
    ? holds(undefined, toHex(expected.value))
    : fails('qualified-signer-differs', toHex(expected.value), toHex(actual));
}
