import { toHex } from '../../formats/bytes/bytes.ts';
import { type Result, success } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import { GRANT_REVOCATION_VERSION, openGrant, parseGrant } from '../../formats/evidence/grant.ts';
import type { TrustDocument } from '../../formats/evidence/trust-document.ts';
import type { ComponentPeer } from '../../platform/tls/component-peer.ts';
import type { RevokeRequest } from '../../proto/gen/enclave_licensing/trust/v1/trust.ts';
import { type CertsCode, refuseCerts } from '../code.ts';
import type { IssuedLog } from '../issue/issued-log.ts';

/** One entry of the document's revocations, with its kind. */
export type Revocation = {
  [K in keyof TrustDocument['revoked']]: {
    readonly kind: K;
    readonly entry: TrustDocument['revoked'][K][number];
  };
}[keyof TrustDocument['revoked']];

/**
 * Whether this component may revoke what it asks for: an agent the certificates of its own node's pods, the launcher users and, with the
 * owner's signature, grants. Whether that owner has an enclave is asked of the API server afterwards.
 * @param now unix seconds
 */
export function decideRevocation(
  crypto: Crypto,
  caller: ComponentPeer,
  request: RevokeRequest,
  issued: IssuedLog,
  now: number,
): Result<Revocation, CertsCode> {
  const { subject } = request;
  const invalid = (what: string) =>
    refuseCerts('revocation-invalid', what, 'name one certificate, user or grant');
  const role = (who: string) =>
    refuseCerts('caller-role', `${caller.component} may not revoke this`, `only ${who} may`);
  switch (subject?.$case) {
    case undefined:
      return invalid('nothing is named');
    case 'certificate': {
      if (caller.component !== 'agent' || caller.node === undefined)
        return role('the agent of the pod’s node');
      const { podUid } = subject.value;
      const known = issued.find(podUid);
      if (known === undefined || known.node !== caller.node)
        return refuseCerts(
          'revocation-foreign',
          `no living certificate of pod ${JSON.stringify(podUid.slice(0, 64))} on node ${caller.node}`,
          'nothing is to be done: there is nothing to revoke, or another node’s agent does it',
        );
      return success({ kind: 'certificates', entry: { podUid, until: known.notAfter } });
    }
    case 'user': {
      if (caller.component !== 'launcher') return role('the launcher');
      const { user } = subject.value;
      return /^[^\p{Cc}]{1,128}$/u.test(user)
        ? success({ kind: 'users', entry: { user } })
        : invalid('the user has no name');
    }
    case 'grant': {
      if (caller.component !== 'launcher') return role('the launcher');
      return revocationOfGrant(crypto, subject.value.revocation, subject.value.signature, now);
    }
  }
}

/** The owner says which grant ends: signed by the owner key that it names, which is the key of the grant itself. */
function revocationOfGrant(
  crypto: Crypto,
  json: Uint8Array,
  signature: Uint8Array,
  now: number,
): Result<Revocation, CertsCode> {
  const parsed = parseGrant(json, GRANT_REVOCATION_VERSION);
  if (!parsed.ok) return refuseCerts('revocation-invalid', parsed.message, parsed.remedy);
  const ownerKeySha256 = toHex(crypto.hash('sha256', parsed.value.ownerKey));
  const opened = openGrant(crypto, json, signature, ownerKeySha256, GRANT_REVOCATION_VERSION);
  if (!opened.ok) return refuseCerts('revocation-invalid', opened.message, opened.remedy);
  const { keySha256, enclave, notAfter } = opened.value;
  if (notAfter <= now)
    return refuseCerts(
      'revocation-invalid',
      'the revocation has ended',
      'let it last as long as the grant does; a grant that has ended needs none',
    );
  return success({ kind: 'grants', entry: { ownerKeySha256, keySha256, enclave, until: notAfter } });
}
