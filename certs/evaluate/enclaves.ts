import { canonicalJson } from '../../formats/bytes/canonical-json.ts';
import { type Result, success } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import { rootsSha256 } from '../../formats/evidence/roots.ts';
import { formatSpiffeId, parseSpiffeId } from '../../formats/evidence/spiffe-id.ts';
import type { Statement } from '../../formats/evidence/statement.ts';
import { enclaveOf } from '../../injection/enclave-of.ts';
import { readSidecar } from '../../injection/read-sidecar.ts';
import { specSha256 } from '../../injection/spec-sha256.ts';
import { componentUser } from '../../names/components.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import { type CertsCode, type CertsRefusal, refuseCerts } from '../code.ts';
import type { CertificateProfile } from '../issue/profile.ts';
import { enclaveProfile } from '../issue/profiles.ts';
import { isLiving } from './living-pod.ts';
import type { ReadRequest } from './request.ts';
import type { Revocations } from './revocations.ts';
import { breachOfContent, breachOfUsages, extraOf } from './rules.ts';

export interface EnclaveSettings {
  readonly releaseNamespace: string;
  readonly trustDomain: string;
  readonly enclaveDomain: string;
  /** `rootsSha256` of the sets of roots that a trust document has named. */
  readonly rootSets: readonly string[];
}

const USAGES = ['digital signature', 'server auth'];

/**
 * Who asks, and under which name: the agent of the node that the evidence speaks of, `enclave-<pod UID>-<n>`.
 * @param statement what the evidence says, verified before
 */
export function breachOfEnclaveRequest(
  request: ReadRequest,
  statement: Statement,
  settings: EnclaveSettings,
): CertsRefusal | undefined {
  const { object } = request;
  if (object.username !== componentUser('agent', settings.releaseNamespace))
    return refuseCerts(
      'requester-unknown',
      `${JSON.stringify(object.username)} is not the agent`,
      'ask the agent of the pod’s node',
    );
  const node = extraOf(object, 'node-name');
  if (node !== statement.pod.node)
    return refuseCerts(
      'requester-node',
      `the agent of node ${JSON.stringify(node ?? '')} asks for a pod of node ${statement.pod.node}`,
      'ask the agent of the pod’s node',
    );
  const prefix = `enclave-${statement.pod.uid}-`;
  if (!object.name.startsWith(prefix) || !/^[0-9a-z]{1,20}$/.test(object.name.slice(prefix.length)))
    return refuseCerts(
      'request-object-name',
      `the object is not named ${prefix}<n>`,
      'name it after the pod’s UID',
    );
  return breachOfUsages(object, USAGES);
}

/**
 * Whether the pod of the statement exists, lives on the agent's node and is what the statement says; and the certificate that
 * follows from it. Names and binding come from the pod, never from the request.
 * @param pod what the API server shows under the statement's namespace and name; undefined: none
 */
export function evaluateEnclave(
  crypto: Crypto,
  request: ReadRequest,
  statement: Statement,
  pod: Pod | undefined,
  settings: EnclaveSettings,
  revocations: Revocations,
): Result<CertificateProfile, CertsCode> {
  const { uid, node, namespace } = statement.pod;
  const renew = 'let the agent quote the pod as it is now';
  if (pod === undefined || pod.metadata?.uid !== uid)
    return refuseCerts(
      'pod-missing',
      `there is no pod ${statement.pod.name} of UID ${uid} in ${namespace}`,
      renew,
    );
  if (!isLiving(pod))
    return refuseCerts('pod-ended', `pod ${uid} has ended or is being deleted`, 'its successor gets its own');
  if (pod.spec?.nodeName !== node)
    return refuseCerts(
      'pod-node',
      `pod ${uid} is bound to node ${JSON.stringify(pod.spec?.nodeName ?? '')}, the evidence is of node ${node}`,
      'ask the agent of the pod’s node',
    );
  if (revocations.isPodRevoked(uid))
    return refuseCerts('revoked', `pod ${uid} is revoked`, 'delete the pod and create another');
  const claims = claimsOf(crypto, pod, settings);
  if (!claims.ok) return claims;
  const differing = differences(statement, claims.value);
  if (differing.length > 0)
    return refuseCerts(
      'pod-differs',
      `the statement and the API server differ in ${differing.join(', ')}`,
      renew,
    );
  if (!settings.rootSets.includes(claims.value.access.rootsSha256))
    return refuseCerts(
      'roots-unknown',
      'no trust document has named the roots in the sidecar’s environment',
      'delete the pod and create it again, so that the webhook injects current roots',
    );
  const names = {
    dns: `${claims.value.pod.enclave}.${settings.enclaveDomain}`,
    spiffeId: claims.value.sub,
  };
  const breach = breachOfContent(request, {
    evidence: true,
    names: { dns: [names.dns], uri: [names.spiffeId] },
  });
  if (breach !== undefined) return breach;
  const { enclave } = claims.value.pod;
  const { ownerKeySha256 } = claims.value.access;
  return success(
    enclaveProfile(
      request.csr.spki,
      names,
      { podUid: uid, enclave, node, ownerKeySha256 },
      { wishedSeconds: request.object.expirationSeconds },
    ),
  );
}

type Claims = Pick<Statement, 'sub' | 'pod' | 'access'>;

/** What a statement about this pod must say, from the API server's view alone. */
function claimsOf(crypto: Crypto, pod: Pod, settings: EnclaveSettings): Result<Claims, CertsCode> {
  const namespace = pod.metadata?.namespace ?? '';
  const enclave = enclaveOf(pod, namespace);
  if (!enclave.ok || enclave.value === undefined)
    return refuseCerts('pod-sidecar', 'the pod’s labels make it no enclave', 'label it before it is created');
  const sidecar = readSidecar(pod);
  if (!sidecar.ok) return refuseCerts('pod-sidecar', sidecar.message, sidecar.remedy);
  const { mode, upstream, auth, ownerKeySha256, roots, enclaveDomain } = sidecar.value;
  if (sidecar.value.enclave !== enclave.value.id || enclaveDomain !== settings.enclaveDomain)
    return refuseCerts(
      'pod-sidecar',
      'the sidecar speaks for another enclave or domain than the pod’s labels',
      'delete the pod and create it again, so that the webhook injects its sidecar',
    );
  const serviceAccount = pod.spec?.serviceAccountName ?? 'default';
  const sub = formatSpiffeId({ trustDomain: settings.trustDomain, namespace, serviceAccount });
  return success({
    sub,
    pod: {
      namespace,
      name: pod.metadata?.name ?? '',
      uid: pod.metadata?.uid ?? '',
      serviceAccount,
      node: pod.spec?.nodeName ?? '',
      enclave: enclave.value.id,
      images: [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map(
        ({ name, image }) => ({
          container: name,
          image: image ?? '',
        }),
      ),
      specSha256: specSha256(crypto, pod.spec ?? {}),
    },
    access: { mode, upstream, auth, ownerKeySha256, rootsSha256: rootsSha256(crypto, roots) },
  });
}

/** Names of the claims that are not equal, members compared one by one; the order of images says nothing. */
function differences(statement: Statement, claims: Claims): string[] {
  const found: string[] = [];
  if (parseSpiffeId(statement.sub) === undefined || statement.sub !== claims.sub) found.push('sub');
  for (const part of ['pod', 'access'] as const) {
    const [said, shown] = [flat(statement[part]), flat(claims[part])];
    for (const member of new Set([...said.keys(), ...shown.keys()]))
      if (said.get(member) !== shown.get(member)) found.push(`${part}.${member}`);
  }
  return found;
}

function flat(part: Statement['pod'] | Statement['access']): Map<string, string> {
  return new Map(
    Object.entries(part)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, Array.isArray(value) ? sortedImages(value) : String(value)]),
  );
}

function sortedImages(images: Statement['pod']['images']): string {
  const rows = images.map(({ container, image }) => canonicalJson({ container, image }));
  return rows.sort().join('\n');
}
