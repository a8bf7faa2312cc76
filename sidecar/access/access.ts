import { toHex } from '../../formats/bytes/bytes.ts';
import { type Refusal, type Result, success } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import { openGrant } from '../../formats/evidence/grant.ts';
import type { TrustDocument } from '../../formats/evidence/trust-document.ts';
import type { UserBinding } from '../../formats/x509/bindings.ts';
import { type AccessCode, refuseAccess } from './code.ts';
import { judgeUserCertificate } from './user-certificate.ts';

/** What is fixed when the pod is created. */
export interface AccessRules {
  readonly enclave: string;
  /** Lower-case hex; absent only with `auth: jwt`, where no certificate is the owner's. */
  readonly ownerKeySha256: string | undefined;
  /** Seconds after which a trust document no longer says anything. */
  readonly trustLimit: number;
  /** UID of the own pod. */
  readonly podUid: string;
}

/** What a connection shows. */
export interface Presented {
  /** DER of the live connection's client certificate. */
  readonly certificate: Uint8Array | undefined;
  readonly resumed: boolean;
}

/** Who may go on, and until when. */
export interface Allowed {
  readonly user: string;
  readonly via: 'owner' | 'grant' | 'token';
  /** Lower-case hex SHA-256 of the client key's SPKI; absent for a token. */
  readonly keySha256: string | undefined;
  /** Unix seconds; the connection ends then. */
  readonly notAfter: number;
}

/** Whether there is a trust document that is young enough to decide by, and still stands by this enclave. */
export function usableTrust(
  trust: TrustDocument | undefined,
  { trustLimit, podUid }: Pick<AccessRules, 'trustLimit' | 'podUid'>,
  now: number,
): Result<TrustDocument, AccessCode> {
  if (trust === undefined)
    return refuseAccess('trust-document-missing', 'the sidecar has no trust document yet');
  if (now - trust.issuedAt > trustLimit)
    return refuseAccess('trust-document-stale', `the newest trust document is older than ${trustLimit} s`);
  if (trust.revoked.certificates.some((each) => each.podUid === podUid))
    return refuseAccess('enclave-revoked', 'the certificates of this enclave’s pod were revoked');
  return success(trust);
}

/**
 * Whether a connection may send data: client certificate from a `users` root for this enclave, in its time, user not revoked, its key the
 * owner's or granted by the owner. Pure; judged before a byte is read, and again with each new trust document.
 * @param now unix seconds
 */
export function access(
  crypto: Crypto,
  presented: Presented,
  rules: AccessRules,
  document: TrustDocument | undefined,
  now: number,
): Result<Allowed, AccessCode> {
  if (presented.resumed) return refuseAccess('session-resumed', 'a resumed session shows no certificate');
  if (presented.certificate === undefined)
    return refuseAccess('certificate-missing', 'no client certificate was shown');
  const trust = usableTrust(document, rules, now);
  if (!trust.ok) return trust;
  const judged = judgeUserCertificate(crypto, presented.certificate, trust.value.roots.users, now);
  if (!judged.ok) return judged;
  const { certificate, binding } = judged.value;
  if (binding.enclave !== rules.enclave)
    return refuseAccess('enclave-mismatch', `the certificate is for the enclave ${binding.enclave}`);
  const revoked = userRevoked(trust.value, binding.user);
  if (revoked !== undefined) return revoked;
  const keySha256 = toHex(crypto.hash('sha256', certificate.spki));
  const { user } = binding;
  if (rules.ownerKeySha256 !== undefined && keySha256 === rules.ownerKeySha256)
    return success({ user, via: 'owner', keySha256, notAfter: certificate.notAfter });
  const granted = judgeGrant(crypto, binding, keySha256, rules, trust.value, now);
  if (!granted.ok) return granted;
  return success({ user, via: 'grant', keySha256, notAfter: Math.min(certificate.notAfter, granted.value) });
}

/** Until when the owner lets this key in (unix seconds). */
function judgeGrant(
  crypto: Crypto,
  { grant: json, grantSignature, user }: UserBinding,
  keySha256: string,
  rules: AccessRules,
  trust: TrustDocument,
  now: number,
): Result<number, AccessCode> {
  const { enclave, ownerKeySha256 } = rules;
  if (json === undefined || grantSignature === undefined || ownerKeySha256 === undefined)
    return refuseAccess('key-not-owner', 'the key is not the owner’s, and no grant is in the certificate');
  const opened = openGrant(crypto, json, grantSignature, ownerKeySha256);
  if (!opened.ok) return refuseAccess('grant-invalid', opened.message);
  const grant = opened.value;
  if (grant.enclave !== enclave || grant.keySha256 !== keySha256 || grant.user !== user)
    return refuseAccess('grant-invalid', 'the grant is for another enclave, key or user');
  if (now > grant.notAfter) return refuseAccess('grant-expired', 'the grant has expired');
  return grantRevoked(trust, rules, keySha256) ?? success(grant.notAfter);
}

/** The refusal of a user who was revoked. */
export function userRevoked({ revoked }: TrustDocument, name: string): Refusal<AccessCode> | undefined {
  return revoked.users.some(({ user }) => user === name)
    ? refuseAccess('user-revoked', 'the user was revoked')
    : undefined;
}

function grantRevoked(
  { revoked }: TrustDocument,
  { enclave, ownerKeySha256 }: AccessRules,
  keySha256: string | undefined,
): Refusal<AccessCode> | undefined {
  const isThis = (each: (typeof revoked.grants)[number]): boolean =>
    each.keySha256 === keySha256 && each.ownerKeySha256 === ownerKeySha256 && each.enclave === enclave;
  return revoked.grants.some(isThis)
    ? refuseAccess('grant-revoked', 'the owner took the grant back')
    : undefined;
}

const ENDED: Readonly<Record<Allowed['via'], readonly [AccessCode, string]>> = {
  owner: ['certificate-expired', 'the certificate has expired'],
  grant: ['grant-expired', 'the certificate or its grant has expired'],
  token: ['token-invalid', 'the token has expired'],
};

/**
 * Whether an access that was given still stands. Signatures are not checked again: those that let in count for as long as the roots and
 * token keys that they were checked by do (`sameAnchors`).
 * @param now unix seconds
 */
export function stillAllowed(
  allowed: Allowed,
  rules: AccessRules,
  document: TrustDocument | undefined,
  now: number,
): Result<Allowed, AccessCode> {
  const trust = usableTrust(document, rules, now);
  if (!trust.ok) return trust;
  const { user, via, keySha256, notAfter } = allowed;
  if (now >= notAfter) return refuseAccess(...ENDED[via]);
  return (
    userRevoked(trust.value, user) ??
    (via === 'grant' ? grantRevoked(trust.value, rules, keySha256) : undefined) ??
    success(allowed)
  );
}

/** Whether signatures of users' certificates and of tokens are checked by the same keys. */
export function sameAnchors(a: TrustDocument, b: TrustDocument): boolean {
  const said = ({ roots, tokenKeys }: TrustDocument) => JSON.stringify([roots.users.map(toHex), tokenKeys]);
  return said(a) === said(b);
}
