import { toHex } from '../../formats/bytes/bytes.ts';
import { type Result, refuse, success } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import { openGrant } from '../../formats/evidence/grant.ts';
import type { TrustDocument } from '../../formats/evidence/trust-document.ts';
import type { UserBinding } from '../../formats/x509/bindings.ts';
import type { AccessCode } from './code.ts';
import { judgeUserCertificate } from './user-certificate.ts';

/** What is fixed when the pod is created. */
export interface AccessRules {
  readonly enclave: string;
  /** Lower-case hex; absent only with `auth: jwt`, where no certificate is the owner's. */
  readonly ownerKeySha256: string | undefined;
  /** Seconds after which a trust document no longer says anything. */
  readonly trustLimit: number;
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

const RENEW = 'Get a certificate for this enclave with "enclavectl certificate".';

/** Whether there is a trust document that is young enough to decide by. */
export function usableTrust(
  trust: TrustDocument | undefined,
  limit: number,
  now: number,
): Result<TrustDocument, AccessCode> {
  const remedy = 'The enclave waits for the certificate service, by way of its node’s agent; try again.';
  if (trust === undefined)
    return refuse('trust-document-missing', 'the sidecar has no trust document yet', remedy);
  if (now - trust.issuedAt > limit)
    return refuse('trust-document-stale', `the newest trust document is older than ${limit} s`, remedy);
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
  if (presented.resumed)
    return refuse(
      'session-resumed',
      'a resumed session shows no certificate',
      'Connect without session resumption.',
    );
  if (presented.certificate === undefined)
    return refuse('certificate-missing', 'no client certificate was shown', RENEW);
  const trust = usableTrust(document, rules.trustLimit, now);
  if (!trust.ok) return trust;
  const judged = judgeUserCertificate(crypto, presented.certificate, trust.value.roots.users, now);
  if (!judged.ok) return judged;
  const { certificate, binding } = judged.value;
  if (binding.enclave !== rules.enclave)
    return refuse('enclave-mismatch', `the certificate is for the enclave ${binding.enclave}`, RENEW);
  if (trust.value.revoked.users.some(({ user }) => user === binding.user))
    return refuse('user-revoked', 'the user was revoked', 'Ask the operator.');
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
  { enclave, ownerKeySha256 }: AccessRules,
  trust: TrustDocument,
  now: number,
): Result<number, AccessCode> {
  const ask = 'Ask the owner of the enclave for a grant ("enclavectl grant").';
  if (json === undefined || grantSignature === undefined || ownerKeySha256 === undefined)
    return refuse('key-not-owner', 'the key is not the owner’s, and no grant is in the certificate', ask);
  const opened = openGrant(crypto, json, grantSignature, ownerKeySha256);
  if (!opened.ok) return refuse('grant-invalid', opened.message, ask);
  const grant = opened.value;
  if (grant.enclave !== enclave || grant.keySha256 !== keySha256 || grant.user !== user)
    return refuse('grant-invalid', 'the grant is for another enclave, key or user', ask);
  if (now > grant.notAfter) return refuse('grant-expired', 'the grant has expired', ask);
  const revoked = trust.revoked.grants.some(
    (each) =>
      each.ownerKeySha256 === ownerKeySha256 && each.keySha256 === keySha256 && each.enclave === enclave,
  );
  if (revoked) return refuse('grant-revoked', 'the owner took the grant back', ask);
  return success(grant.notAfter);
}

/** Whether two trust documents let the same people in. */
export function sameAccess(a: TrustDocument | undefined, b: TrustDocument | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const said = ({ roots, revoked }: TrustDocument) => JSON.stringify([roots.users.map(toHex), revoked]);
  return said(a) === said(b);
}
