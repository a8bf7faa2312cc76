import { sign } from 'node:crypto';
import {
  encodeGrant,
  GRANT_REVOCATION_VERSION,
  GRANT_VERSION,
  type Grant,
  type GrantVersion,
  grantMessage,
} from '../../../formats/evidence/grant.ts';
import type { KeyPair } from '../../../platform/identity/key-pair.ts';

/** What an owner key has signed: JSON bytes and the signature over them (ECDSA with SHA-256, DER). */
export interface OwnerSigned {
  readonly json: Uint8Array;
  readonly signature: Uint8Array;
}

/** Whom a grant lets in, or no longer: members of `Grant`, times in unix seconds. */
export type Granted = Pick<Grant, 'enclave' | 'keySha256' | 'user' | 'notAfter'>;

/** Lets another key connect to an enclave (docs/evidence-format.md). @throws RangeError for what is no grant */
export function signGrant(owner: KeyPair, granted: Granted): OwnerSigned {
  return signAs(GRANT_VERSION, owner, granted);
}

/** Takes a grant back: every grant of this owner key for this key and enclave, until `notAfter`. @throws RangeError for what is no revocation */
export function signRevocation(owner: KeyPair, granted: Granted): OwnerSigned {
  return signAs(GRANT_REVOCATION_VERSION, owner, granted);
}

function signAs(v: GrantVersion, owner: KeyPair, granted: Granted): OwnerSigned {
  const { enclave, keySha256, user, notAfter } = granted;
  const json = encodeGrant({ v, enclave, ownerKey: owner.spki, keySha256, user, notAfter });
  // SHA-256 whatever the curve is: `owner.sign` takes the curve's own.
  const signature = sign('sha256', grantMessage(json, v), { key: owner.privateKey, dsaEncoding: 'der' });
  return { json, signature: new Uint8Array(signature) };
}
