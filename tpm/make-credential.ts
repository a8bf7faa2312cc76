import {
  constants,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { fromBase64url } from '../formats/bytes/base64.ts';
import { concat, toUtf8 } from '../formats/bytes/bytes.ts';
import { type Result, refuse, success } from '../formats/bytes/result.ts';
import { encodeEncryptedSecret, encodeIdObject } from '../formats/tpm/credential.ts';
import { encode } from '../formats/tpm/encode.ts';
import { type Public, publicToSpki } from '../formats/tpm/public.ts';
import { ECC_POINT } from '../formats/tpm/structures.ts';
import { explain } from '../platform/run/explain.ts';
import { kdfe, protectCredential } from './credential-protection.ts';

export interface MadeCredential {
  /** TPM2B_ID_OBJECT, with its size field. */
  readonly idObject: Uint8Array;
  /** TPM2B_ENCRYPTED_SECRET, with its size field. */
  readonly encryptedSecret: Uint8Array;
}

const LABEL = 'IDENTITY';

/**
 * Does what TPM2_MakeCredential does (TPM 2.0 Library part 1, 24; part 3, 12.6), without a TPM: protects `credential` so
 * that only the TPM that holds the endorsement key gives it out, and only while an object of this name is loaded.
 * @param endorsementKey TPMT_PUBLIC with name algorithm SHA-256 and AES-128 in CFB mode: RSA-2048 or more, or P-256, P-384
 * @param name the attestation key's name (`objectName`)
 * @param credential 1 to 32 bytes
 */
export function makeCredential(
  endorsementKey: Public,
  name: Uint8Array,
  credential: Uint8Array,
): Result<MadeCredential, 'unsupported-endorsement-key'> {
  const no = (message: string) =>
    refuse('unsupported-endorsement-key', message, 'use an endorsement key by the TCG templates L-1 or L-2');
  if (credential.length < 1 || credential.length > 32) throw new RangeError('a credential has 1 to 32 bytes');
  const { nameAlg, parameters } = endorsementKey;
  if (nameAlg !== 'sha256') return no(`the endorsement key's name algorithm is ${nameAlg}`);
  const { symmetric } = parameters;
  if (symmetric.kind !== 'aes' || symmetric.keyBits !== '128')
    return no('the endorsement key does not use AES-128');
  const spki = publicToSpki(endorsementKey);
  if (!spki.ok) return no(spki.message);
  let shared: SharedSeed;
  try {
    shared = parameters.kind === 'rsa' ? shareByRsa(spki.value) : shareByEcdh(spki.value, parameters.curve);
  } catch (error) {
    return no(`the endorsement key is of no use: ${explain(error)}`);
  }
  return success({
    idObject: encodeIdObject(protectCredential(shared.seed, name, credential)),
    encryptedSecret: encodeEncryptedSecret(shared.secret),
  });
}

interface SharedSeed {
  readonly seed: Uint8Array;
  /** What travels: from it the endorsement key's TPM gets the seed. */
  readonly secret: Uint8Array;
}

/** Part 1, annex B.10.4: OAEP with SHA-256, the label's terminating zero included. */
function shareByRsa(spki: Uint8Array): SharedSeed {
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  const seed = new Uint8Array(randomBytes(32));
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const oaepLabel = concat(toUtf8(LABEL), Uint8Array.of(0));
  return {
    seed,
    secret: new Uint8Array(publicEncrypt({ key, padding, oaepHash: 'sha256', oaepLabel }, seed)),
  };
}

/** Part 1, annex C.6.4: one-pass ECDH; the secret is the ephemeral point. */
function shareByEcdh(spki: Uint8Array, curve: string): SharedSeed {
  const publicKey = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  const ephemeral = generateKeyPairSync('ec', { namedCurve: curve });
  const z = new Uint8Array(diffieHellman({ privateKey: ephemeral.privateKey, publicKey }));
  const ours = coordinates(ephemeral.publicKey.export({ format: 'jwk' }));
  const theirs = coordinates(publicKey.export({ format: 'jwk' }));
  const seed = kdfe(z, LABEL, ours.x, theirs.x, 256);
  return { seed, secret: encode(ECC_POINT, ours) };
}

function coordinates(jwk: { x?: string; y?: string }): { x: Uint8Array; y: Uint8Array } {
  const x = fromBase64url(jwk.x ?? '');
  const y = fromBase64url(jwk.y ?? '');
  if (x === undefined || y === undefined) throw new TypeError('no coordinates');
  return { x, y };
}
