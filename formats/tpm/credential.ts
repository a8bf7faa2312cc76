import type { Result } from '../bytes/result.ts';
import { decode, type TpmFormatCode } from './decode.ts';
import { encode } from './encode.ts';
import { ENCRYPTED_SECRET, ID_OBJECT } from './structures.ts';
import type { ValueOf } from './wire.ts';

/** TPM2B_ID_OBJECT (part 2, 12.4.3), with its size field on the wire. */
export type IdObject = ValueOf<typeof ID_OBJECT>;

export function decodeIdObject(bytes: Uint8Array): Result<IdObject, TpmFormatCode> {
  return decode(ID_OBJECT, bytes);
}

export function encodeIdObject(object: IdObject): Uint8Array {
  return encode(ID_OBJECT, object);
}

/** TPM2B_ENCRYPTED_SECRET (part 2, 11.4.3), with its size field on the wire; the value is what is inside. */
export function decodeEncryptedSecret(bytes: Uint8Array): Result<Uint8Array, TpmFormatCode> {
  return decode(ENCRYPTED_SECRET, bytes);
}

export function encodeEncryptedSecret(secret: Uint8Array): Uint8Array {
  return encode(ENCRYPTED_SECRET, secret);
}
