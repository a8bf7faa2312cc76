import { expect, test } from 'vitest';
import type { TrustDocument } from '../../formats/evidence/trust-document.ts';
import { OID_EKU_CLIENT_AUTH, OID_EKU_COMPONENT, OID_EKU_ENCLAVE, OID_EKU_USER } from '../../names/oids.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import type { Credential } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { type AccessRules, access } from '../../sidecar/access/access.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import {
  authorities,
  ENCLAVE,
  grantFor,
  keySha256,
  owner,
  trustDocument,
  unixNow,
  userCredential,
} from './trust-fixture.ts';

const now = unixNow();
const RULES: AccessRules = {
  enclave: ENCLAVE,
  ownerKeySha256: keySha256(owner),
  trustLimit: 3600,
  podUid: 'own',
};
const other = generateKey();
const granted = (changes: object = {}, signer = owner) =>
  userCredential(other, { user: 'bob', ...grantFor(other, changes, signer) });

function judge(
  credential: Credential | undefined,
  document: TrustDocument | undefined = trustDocument(1),
  rules = RULES,
) {
  return access(nodeCrypto, { certificate: credential?.chain[0], resumed: false }, rules, document, now);
}

test('the owner, and whom the owner grants, each until their end', () => {
  const credential = userCredential(owner);
  expect(judge(credential)).toEqual({
    ok: true,
    value: { user: 'alice', via: 'owner', keySha256: keySha256(owner), notAfter: credential.notAfter },
  });
  expect(judge(granted())).toMatchObject({
    value: { user: 'bob', via: 'grant', notAfter: expect.any(Number) },
  });
  const short = judge(granted({ notAfter: now + 10 }));
  expect(short.ok && short.value.notAfter).toBe(now + 10);
});

const imposter = createTestAuthority('users');
const revoked = (changes: Partial<TrustDocument['revoked']>) =>
  trustDocument(2, { revoked: { certificates: [], users: [], grants: [], ...changes } });
const revokedGrant = {
  ownerKeySha256: keySha256(owner),
  keySha256: keySha256(other),
  enclave: ENCLAVE,
  until: now,
};

test.each<[string, string, ReturnType<typeof judge>]>([
  ['certificate-missing', 'no certificate', judge(undefined)],
  ['certificate-untrusted', 'a root of the same name', judge(userCredential(owner, {}, {}, imposter))],
  [
    'certificate-untrusted',
    'another issuer of ours',
    judge(userCredential(owner, {}, {}, authorities.system)),
  ],
  [
    'certificate-untrusted',
    'roots that were replaced',
    judge(
      userCredential(owner),
      trustDocument(2, { roots: { ...trustDocument(1).roots, users: [imposter.root] } }),
    ),
  ],
  [
    'certificate-wrong-role',
    'an enclave’s usage',
    judge(userCredential(owner, {}, { extendedKeyUsage: [OID_EKU_ENCLAVE, OID_EKU_CLIENT_AUTH] })),
  ],
  [
    'certificate-wrong-role',
    'a second role',
    judge(userCredential(owner, {}, { extendedKeyUsage: [OID_EKU_USER, OID_EKU_COMPONENT] })),
  ],
  [
    'certificate-wrong-role',
    'no binding',
    judge(userCredential(owner, {}, { extensions: { userBinding: undefined } })),
  ],
  [
    'certificate-wrong-role',
    'a CA',
    judge(userCredential(owner, {}, { extensions: { basicConstraints: { ca: true } } })),
  ],
  [
    'certificate-expired',
    'yesterday’s',
    judge(userCredential(owner, {}, { notBefore: now - 20, notAfter: now - 10 })),
  ],
  [
    'certificate-not-yet-valid',
    'tomorrow’s',
    judge(userCredential(owner, {}, { notBefore: now + 100, notAfter: now + 200 })),
  ],
  ['enclave-mismatch', 'another enclave', judge(userCredential(owner, { enclave: 'eother' }))],
  ['key-not-owner', 'another user’s key', judge(userCredential(other, { user: 'bob' }))],
  [
    'key-not-owner',
    'no owner at all',
    judge(userCredential(owner), trustDocument(1), { ...RULES, ownerKeySha256: undefined }),
  ],
  ['grant-invalid', 'a grant that another key signed', judge(granted({}, other))],
  ['grant-invalid', 'a grant by another owner', judge(granted({ ownerKey: other.spki }, other))],
  ['grant-invalid', 'a grant for another enclave', judge(granted({ enclave: 'eother' }))],
  ['grant-invalid', 'a grant for another key', judge(granted({ keySha256: keySha256(owner) }))],
  ['grant-invalid', 'a grant for another user', judge(granted({ user: 'carol' }))],
  ['grant-expired', 'a grant that ended', judge(granted({ notAfter: now - 1 }))],
  ['grant-revoked', 'a grant taken back', judge(granted(), revoked({ grants: [revokedGrant] }))],
  ['user-revoked', 'a revoked user', judge(userCredential(owner), revoked({ users: [{ user: 'alice' }] }))],
  [
    'enclave-revoked',
    'the enclave’s own certificate taken back',
    judge(userCredential(owner), revoked({ certificates: [{ podUid: 'own', until: now }] })),
  ],
  [
    'trust-document-stale',
    'an old trust document',
    judge(userCredential(owner), trustDocument(1, { issuedAt: now - 3601 })),
  ],
])('%s: %s', (code, _, result) => {
  expect(result).toMatchObject({ ok: false, code });
});

test('no trust document and a resumed session refuse', () => {
  const certificate = userCredential(owner).chain[0];
  expect(access(nodeCrypto, { certificate, resumed: false }, RULES, undefined, now)).toMatchObject({
    code: 'trust-document-missing',
  });
  expect(access(nodeCrypto, { certificate, resumed: true }, RULES, trustDocument(1), now)).toMatchObject({
    code: 'session-resumed',
  });
  expect(
    access(
      nodeCrypto,
      { certificate: new Uint8Array([48, 0]), resumed: false },
      RULES,
      trustDocument(1),
      now,
    ),
  ).toMatchObject({ code: 'certificate-malformed' });
});
