import { fromUtf8, toHex, toUtf8 } from '../../../formats/bytes/bytes.ts';
import { encodeGrant, grantMessage } from '../../../formats/evidence/grant.ts';
import { ANYTHING } from '../../../verify/policy/anything.ts';
import { type Changes, IMAGE, OWNER_KEY } from '../evidence.ts';
import { FIXTURE_NOW } from '../fixture-certificates.ts';
import { ecKey } from '../fixture-keys.ts';
import {
  access,
  bad,
  certificate,
  context,
  type Forgeries,
  good,
  lastBitFlipped,
  policy,
  sha256,
  sha256Hex,
  statement,
  without,
} from '../forgery.ts';

const GUEST_SHA256 = toHex(sha256(ecKey('guest').spki));
const OTHER_IMAGE = `registry.example/app@sha256:${sha256Hex('other')}`;

interface GrantChange {
  readonly enclave?: string;
  readonly notAfter?: number;
  readonly keySha256?: string;
  readonly owner?: string;
  readonly signer?: string;
  readonly json?: (bytes: Uint8Array) => Uint8Array;
  readonly signature?: (bytes: Uint8Array) => Uint8Array;
}

/** A grant by the owner for the guest's key, and the guest as verifier. */
export function granted(change: GrantChange = {}): Changes {
  const owner = change.owner === undefined ? OWNER_KEY : ecKey(change.owner);
  const made = encodeGrant({
    v: 'enclave-grant/1',
    enclave: change.enclave ?? 'eabcdefghijklmno',
    ownerKey: owner.spki,
    keySha256: change.keySha256 ?? GUEST_SHA256,
    user: 'guest',
    notAfter: change.notAfter ?? FIXTURE_NOW + 60,
  });
  const grant = change.json?.(made) ?? made;
  const signed = ecKey(change.signer ?? change.owner ?? 'owner').sign(grantMessage(grant));
  return context({
    ownerKeySha256: GUEST_SHA256,
    grant: { grant, signature: change.signature?.(signed) ?? signed },
  });
}
const badGrant = (change: GrantChange) => bad('owner', 'grant-refused', granted(change));
/** No owner key anywhere: the front says who gets in. */
const ownerless: Changes = {
  ...statement((s) => ({ access: { ...s.access, auth: 'jwt', ownerKeySha256: undefined } })),
  ...certificate((f) => ({
    extensions: {
      ...f.extensions,
      enclaveBinding: f.extensions?.enclaveBinding && {
        ...f.extensions.enclaveBinding,
        ownerKeySha256: undefined,
      },
    },
  })),
};

/** Boot state, roots and ages stay pinned. */
const { allowEmulatedTpm: _tpm, pcrs: _pcrs, roots: _roots, maxAge: _age, ...ANY_CLAIM } = ANYTHING;

/** The pod's and the sidecar's claims against the policy, and whose enclave it is. */
export const FORGED_CLAIMS: Forgeries = {
  'good-auditor': good(without('ownerKeySha256')),
  'good-grant': good(granted()),
  'good-jwt-without-owner': good({ ...ownerless, ...policy({ auth: ['jwt'] }) }),
  'good-image-by-digest-alone': good(policy({ images: [IMAGE.slice(IMAGE.indexOf('@') + 1)] })),
  'good-any': good(policy(ANY_CLAIM)),

  'namespace-of-another-team': bad('namespace', 'namespace-refused', policy({ namespaces: ['other'] })),
  'service-account-of-another': bad(
    'service-account',
    'service-account-refused',
    policy({ serviceAccounts: ['other'] }),
  ),
  'enclave-not-asked-for': bad('enclave', 'enclave-refused', policy({ enclaves: ['eother'] })),
  'image-not-accepted': bad('images', 'image-refused', policy({ images: [`sha256:${sha256Hex('other')}`] })),
  'image-of-another-name': bad(
    'images',
    'image-refused',
    policy({ images: [IMAGE.replace('/app@', '/other@')] }),
  ),
  'one-image-of-two-not-accepted': bad(
    'images',
    'image-refused',
    statement((s) => ({
      pod: { ...s.pod, images: [...s.pod.images, { container: 'second', image: OTHER_IMAGE }] },
    })),
  ),
  'spec-not-accepted': bad('spec', 'spec-refused', policy({ specSha256: [sha256Hex('other')] })),
  'upstream-not-accepted': bad('access', 'access-refused', access({ upstream: '8080' })),
  'mode-not-accepted': bad('access', 'access-refused', access({ mode: 'tcp' })),
  'auth-not-accepted': bad('access', 'access-refused', access({ auth: 'jwt' })),
  'owner-is-another': bad('owner', 'owner-refused', context({ ownerKeySha256: GUEST_SHA256 })),
  'owner-not-in-the-policy': bad('owner', 'owner-refused', {
    ...without('ownerKeySha256'),
    ...policy({ ownerKeys: [GUEST_SHA256] }),
  }),
  'owner-missing-for-an-auditor': bad('owner', 'owner-refused', {
    ...ownerless,
    ...without('ownerKeySha256'),
    ...policy({ auth: ['jwt'] }),
  }),
  'grant-of-another-enclave': badGrant({ enclave: 'eother' }),
  'grant-for-another-key': badGrant({ keySha256: sha256Hex('other') }),
  'grant-expired': badGrant({ notAfter: FIXTURE_NOW - 1 }),
  'grant-by-another-key': badGrant({ signer: 'attacker' }),
  'grant-by-another-owner': badGrant({ owner: 'attacker' }),
  'grant-with-a-changed-signature': badGrant({ signature: lastBitFlipped }),
  'grant-with-a-member-twice': badGrant({
    json: (bytes) => toUtf8((fromUtf8(bytes) ?? '').replace('"user":', '"user":"other","user":')),
  }),
  'grant-that-is-a-revocation': badGrant({
    json: (bytes) => toUtf8((fromUtf8(bytes) ?? '').replace('enclave-grant/1', 'enclave-grant-revoke/1')),
  }),
  'roots-unknown': bad('roots', 'roots-refused', access({ rootsSha256: sha256Hex('other') })),
};
