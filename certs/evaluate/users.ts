import { fromBase64 } from '../../formats/bytes/base64.ts';
import { toHex } from '../../formats/bytes/bytes.ts';
import { type Result, success } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import { type Grant, openGrant, parseGrant } from '../../formats/evidence/grant.ts';
import { MAX_NAME_BYTES } from '../../formats/x509/bindings.ts';
import { componentUser } from '../../names/components.ts';
import { CSR_ANNOTATIONS } from '../../names/labels.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import { type CertsCode, refuseCerts } from '../code.ts';
import type { CertificateProfile } from '../issue/profile.ts';
import { userProfile } from '../issue/profiles.ts';
import { isLiving } from './living-pod.ts';
import { ownerKeys } from './owner-keys.ts';
import type { ReadRequest } from './request.ts';
import type { Revocations } from './revocations.ts';
import { breachOfContent, breachOfUsages } from './rules.ts';

const USAGES = ['digital signature', 'client auth'];
const USER_NAME = /^[^\p{Cc}]{1,128}$/u;

/** What a request for a user's certificate asks for, before anybody looked at the enclave's pods. */
export interface UserRequest {
  readonly enclave: string;
  readonly user: string;
  /** Lower-case hex SHA-256 of the request's key. */
  readonly keySha256: string;
  readonly grant?: { readonly json: Uint8Array; readonly signature: Uint8Array } | undefined;
}

/** Everything that the request itself decides: who asks, annotations, usages, content. */
export function readUserRequest(
  crypto: Crypto,
  request: ReadRequest,
  settings: { readonly releaseNamespace: string },
): Result<UserRequest, CertsCode> {
  const { object, csr } = request;
  if (object.username !== componentUser('launcher', settings.releaseNamespace))
    return refuseCerts(
      'requester-unknown',
      `${JSON.stringify(object.username)} is not the launcher`,
      'ask front for a certificate; only the launcher makes these requests',
    );
  const breach = breachOfUsages(object, USAGES) ?? breachOfContent(request, { evidence: false });
  if (breach !== undefined) return breach;
  const { [CSR_ANNOTATIONS.enclave]: enclave, [CSR_ANNOTATIONS.user]: user } = object.annotations;
  if (!enclave || !user)
    return refuseCerts(
      'annotation-missing',
      `annotations ${CSR_ANNOTATIONS.enclave} and ${CSR_ANNOTATIONS.user} are both needed`,
      'name the enclave and the user',
    );
  if (!USER_NAME.test(user) || Buffer.byteLength(user) > MAX_NAME_BYTES || enclave.length > MAX_NAME_BYTES)
    return refuseCerts(
      'annotation-invalid',
      'the annotations name no user or no enclave',
      'name both as they are',
    );
  const grant = readGrantAnnotations(object.annotations);
  if (!grant.ok) return grant;
  return success({
    enclave,
    user,
    keySha256: toHex(crypto.hash('sha256', csr.spki)),
    ...(grant.value && { grant: grant.value }),
  });
}

function readGrantAnnotations(
  annotations: Readonly<Record<string, string>>,
): Result<UserRequest['grant'], CertsCode> {
  const { [CSR_ANNOTATIONS.grant]: grant, [CSR_ANNOTATIONS.grantSignature]: signature } = annotations;
  if (grant === undefined && signature === undefined) return success(undefined);
  const json = fromBase64(grant ?? '');
  const bytes = fromBase64(signature ?? '');
  if (!json?.length || !bytes?.length)
    return refuseCerts(
      'annotation-invalid',
      `annotations ${CSR_ANNOTATIONS.grant} and ${CSR_ANNOTATIONS.grantSignature} go together, base64 each`,
      'send the grant and the owner key’s signature over it',
    );
  return success({ json, signature: bytes });
}

/**
 * Whether the key may connect to the enclave: it is the owner key in the environment of a living pod's sidecar, or a grant by that
 * owner key names it.
 * @param pods what the API server shows under `podsOfEnclave`
 * @param now unix seconds
 */
export function evaluateUser(
  crypto: Crypto,
  request: ReadRequest,
  asked: UserRequest,
  pods: readonly Pod[],
  revocations: Revocations,
  now: number,
): Result<CertificateProfile, CertsCode> {
  const { enclave, user, keySha256, grant } = asked;
  if (revocations.isUserRevoked(user))
    return refuseCerts('revoked', `user ${user} is revoked`, 'ask the operator');
  const owners = ownerKeys(enclave, pods, isLiving);
  if (owners.length === 0)
    return refuseCerts(
      'enclave-unknown',
      `no living pod with an owner is enclave ${enclave}`,
      'launch the enclave first',
    );
  const wishedSeconds = request.object.expirationSeconds;
  if (grant === undefined) {
    if (!owners.includes(keySha256))
      return refuseCerts(
        'owner-key',
        `the key is not the owner's of enclave ${enclave}, and there is no grant`,
        'use the key that launched the enclave, or get a grant from its owner',
      );
    return success(userProfile(request.csr.spki, { enclave, user }, { wishedSeconds }));
  }
  const opened = openGrantOf(crypto, grant, owners);
  if (!opened.ok) return opened;
  const breach = breachOfGrant(opened.value, asked, revocations, opened.value.ownerKeySha256, now);
  if (breach !== undefined) return breach;
  const binding = { enclave, user, grant: grant.json, grantSignature: grant.signature };
  return success(
    userProfile(request.csr.spki, binding, { wishedSeconds, notAfterLimit: opened.value.notAfter }),
  );
}

type OpenedGrant = Grant & { readonly ownerKeySha256: string };

function openGrantOf(
  crypto: Crypto,
  grant: { readonly json: Uint8Array; readonly signature: Uint8Array },
  owners: readonly string[],
): Result<OpenedGrant, CertsCode> {
  const no = (message: string) => refuseCerts('grant-refused', message, 'get another grant from the owner');
  const parsed = parseGrant(grant.json);
  if (!parsed.ok) return no(parsed.message);
  const ownerKeySha256 = toHex(crypto.hash('sha256', parsed.value.ownerKey));
  if (!owners.includes(ownerKeySha256))
    return no('the grant is by a key that owns no living pod of the enclave');
  const opened = openGrant(crypto, grant.json, grant.signature, ownerKeySha256);
  return opened.ok ? success({ ...opened.value, ownerKeySha256 }) : no(opened.message);
}

function breachOfGrant(
  grant: Grant,
  asked: UserRequest,
  revocations: Revocations,
  ownerKeySha256: string,
  now: number,
) {
  const no = (message: string) => refuseCerts('grant-refused', message, 'get another grant from the owner');
  if (grant.enclave !== asked.enclave) return no(`the grant is for enclave ${grant.enclave}`);
  if (grant.keySha256 !== asked.keySha256) return no('the grant is for another key');
  if (grant.user !== asked.user) return no(`the grant is for user ${grant.user}`);
  if (grant.notAfter <= now) return no('the grant has ended');
  if (revocations.isGrantRevoked({ ownerKeySha256, keySha256: grant.keySha256, enclave: grant.enclave }))
    return refuseCerts('revoked', 'the grant is revoked', 'get another grant from the owner');
  return undefined;
}
