import { toHex } from '../../formats/bytes/bytes.ts';
import { type Result, success } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import { GRANT_REVOCATION_VERSION, openGrant, parseGrant } from '../../formats/evidence/grant.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import type { TrustDocument } from '../../formats/evidence/trust-document.ts';
import { parseDuration } from '../../injection/duration.ts';
import { readSidecar } from '../../injection/read-sidecar.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import type { ComponentPeer } from '../../platform/tls/component-peer.ts';
import type { RevokedCertificate, RevokeRequest } from '../../proto/gen/enclave_licensing/trust/v1/trust.ts';
import { verifyChain } from '../../verify/certificate-chain.ts';
import { type CertsCode, refuseCerts } from '../code.ts';
import { runs } from '../evaluate/living-pod.ts';
import { clampNotAfter, LIFETIMES } from '../issue/lifetimes.ts';

/** One entry of the document's revocations, with its kind. */
export type Revocation = {
  [K in keyof TrustDocument['revoked']]: {
    readonly kind: K;
    readonly entry: TrustDocument['revoked'][K][number];
  };
}[keyof TrustDocument['revoked']];

export interface RevocationContext {
  readonly crypto: Crypto;
  readonly roots: Roots;
  /** What the API server shows under the names in the request. */
  readonly pod: Pod | undefined;
  /** Unix seconds. */
  readonly now: number;
}

/**
 * Whether this component may revoke what it asks for: an agent the certificates of its own node's pods, the launcher users and, with the
 * owner's signature, grants. Whether that owner has an enclave is asked of the API server afterwards.
 */
export function decideRevocation(
  caller: ComponentPeer,
  request: RevokeRequest,
  context: RevocationContext,
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
      return revocationOfPod(caller.node, subject.value, context);
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
      return revocationOfGrant(subject.value.revocation, subject.value.signature, context);
    }
  }
}

/**
 * Seconds that a pod which has ended stays revoked. Its agent hands it no trust document any more, and a sidecar that outlives its pod lets nobody in
 * without one that is younger than an hour. A day, as long as the certificate, would fill the document: a cluster may end thousands of enclaves in one.
 */
export const ENDED_SECONDS = 7200;

/**
 * The certificate shows by itself whose it was: nothing has to be remembered of what was issued. Without one the pod must still be there; then its certificates end
 * at the latest when one that was issued now would.
 */
function revocationOfPod(
  node: string,
  { podUid, certificate }: RevokedCertificate,
  context: RevocationContext,
): Result<Revocation, CertsCode> {
  const end =
    certificate.length > 0
      ? endOfCertificate(node, podUid, certificate, context)
      : latestEndOf(node, podUid, context);
  const { pod, now } = context;
  const runsStill = pod?.metadata?.uid === podUid && runs(pod);
  return end === undefined
    ? refuseCerts(
        'revocation-foreign',
        `no living certificate of pod ${JSON.stringify(podUid.slice(0, 64))} on node ${node}`,
        'nothing is to be done: there is nothing to revoke, or another node’s agent does it',
      )
    : success({
        kind: 'certificates',
        entry: { podUid, until: runsStill ? end : Math.min(end, now + ENDED_SECONDS) },
      });
}

function endOfCertificate(
  node: string,
  podUid: string,
  der: Uint8Array,
  { crypto, roots, now }: RevocationContext,
): number | undefined {
  const chain = verifyChain(crypto, [der], { roots, role: 'enclaves', now });
  if (!chain.ok) return undefined;
  const { enclaveBinding } = chain.value.extensions;
  return enclaveBinding?.podUid === podUid && enclaveBinding.node === node ? chain.value.notAfter : undefined;
}

function latestEndOf(node: string, podUid: string, { pod, now }: RevocationContext): number | undefined {
  if (podUid === '' || pod?.metadata?.uid !== podUid || pod.spec?.nodeName !== node) return undefined;
  const sidecar = readSidecar(pod);
  // What is no longer a sidecar of ours may have had any lifetime.
  const wished = sidecar.ok ? parseDuration(sidecar.value.certificateLifetime) : LIFETIMES.enclaves.most;
  return clampNotAfter(LIFETIMES.enclaves, now, wished);
}

/** The owner says which grant ends: signed by the owner key that it names, which is the key of the grant itself. */
function revocationOfGrant(
  json: Uint8Array,
  signature: Uint8Array,
  { crypto, now }: RevocationContext,
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
