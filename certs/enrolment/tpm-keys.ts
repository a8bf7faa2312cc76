import { type Result, success } from '../../formats/bytes/result.ts';
import { decodePublic, type ObjectAttributes, type Public, publicToSpki } from '../../formats/tpm/public.ts';
import { AK_ATTRIBUTES } from '../../formats/tpm/templates.ts';
import { publicKeyKind } from '../../formats/x509/public-key.ts';
import { type CertsCode, refuseCerts } from '../code.ts';

export interface TpmKey {
  readonly public: Public;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
}

type Bits = Partial<ObjectAttributes>;

/** A storage key: credential activation is only good with a key that decrypts nothing else. */
const ENDORSEMENT_BITS: Bits = {
  fixedTPM: true,
  fixedParent: true,
  sensitiveDataOrigin: true,
  restricted: true,
  decrypt: true,
  sign: false,
  encryptedDuplication: false,
};

function differingBits(attributes: ObjectAttributes, wanted: Bits): string[] {
  return (Object.keys(wanted) as (keyof ObjectAttributes)[])
    .filter((bit) => attributes[bit] !== wanted[bit])
    .map((bit) => `${bit} is ${attributes[bit]}`);
}

/** Reads TPMT_PUBLIC of an endorsement key and checks what it is good for. */
export function readEndorsementKey(bytes: Uint8Array): Result<TpmKey, CertsCode> {
  const decoded = decodePublic(bytes);
  if (!decoded.ok) return refuseCerts('ek-malformed', decoded.message, decoded.remedy);
  const value = decoded.value;
  const differing = differingBits(value.attributes, ENDORSEMENT_BITS);
  if (differing.length > 0)
    return refuseCerts(
      'ek-attributes',
      `the endorsement key is no restricted decryption key of one TPM: ${differing.join(', ')}`,
      'create it from a template of the TCG EK Credential Profile',
    );
  const spki = publicToSpki(value);
  if (!spki.ok) return refuseCerts('ek-malformed', spki.message, spki.remedy);
  if (publicKeyKind(spki.value) === undefined)
    return refuseCerts(
      'ek-malformed',
      'the endorsement key is of no kind that we know',
      'use RSA 2048 or P-256',
    );
  return success({ public: value, spki: spki.value });
}

/** Reads TPMT_PUBLIC of an attestation key: every bit and its scheme, one reason each. */
export function readAttestationKey(bytes: Uint8Array): Result<TpmKey, CertsCode> {
  const decoded = decodePublic(bytes);
  if (!decoded.ok) return refuseCerts('ak-malformed', decoded.message, decoded.remedy);
  const value = decoded.value;
  const no = (message: string) =>
    refuseCerts('ak-attributes', message, 'create a restricted signing key in the endorsement hierarchy');
  const differing = differingBits(value.attributes, AK_ATTRIBUTES);
  if (differing.length > 0)
    return no(`the attestation key is not restricted to the TPM: ${differing.join(', ')}`);
  const { parameters, nameAlg } = value;
  if (nameAlg !== 'sha256' && nameAlg !== 'sha384') return no(`its name algorithm is ${nameAlg}`);
  if (parameters.symmetric.kind !== 'null') return no('a signing key has no symmetric algorithm');
  const { scheme } = parameters;
  if (scheme.kind !== 'rsassa' && scheme.kind !== 'rsapss' && scheme.kind !== 'ecdsa')
    return no(`its signature scheme is ${scheme.kind}: it must be fixed`);
  if (scheme.hash !== 'sha256' && scheme.hash !== 'sha384')
    return no(`its scheme hashes with ${scheme.hash}`);
  const spki = publicToSpki(value);
  if (!spki.ok) return refuseCerts('ak-malformed', spki.message, spki.remedy);
  if (publicKeyKind(spki.value) === undefined)
    return no('RSA below 2048 bits, or a curve that we do not know');
  return success({ public: value, spki: spki.value });
}
