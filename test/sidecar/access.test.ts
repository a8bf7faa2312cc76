import { expect, test } from 'vitest';
import { grantMessage } from '../../formats/evidence/grant.ts';
import type { TrustDocument } from '../../formats/evidence/trust-document.ts';
import { booleanTrue, objectIdentifier, octetString, sequence } from '../../formats/x509/der-writer.ts';
import { OID_EKU_CLIENT_AUTH, OID_EKU_COMPONENT, OID_EKU_ENCLAVE, OID_EKU_USER } from '../../names/oids.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import type { Credential } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { type AccessRules, access } from '../../sidecar/access/access.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { intermediateAuthority, keyUsageAt, withExtensions } from './odd-certificates.ts';
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
  time = now,
) {
  return access(nodeCrypto, { certificate: credential?.chain[0], resumed: false }, rules, document, time);
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
  // What the cases below change is good as it is.
  expect(judge(withExtensions((all) => all)).ok && judge(grantedBytes((json) => json)).ok).toBe(true);
  const large = generateKey('p384');
  const rules = { ...RULES, ownerKeySha256: keySha256(large) };
  expect(judge(userCredential(large), trustDocument(1), rules)).toMatchObject({ value: { via: 'owner' } });
  const short = judge(granted({ notAfter: now + 10 }));
  expect(short.ok && short.value.notAfter).toBe(now + 10);
});

/** A grant with other bytes than what `encodeGrant` writes, signed by the owner as it is. */
function grantedBytes(change: (json: string) => string, message = grantMessage): Credential {
  const json = Buffer.from(change(Buffer.from(grantFor(other).grant).toString()));
  return userCredential(other, { user: 'bob', grant: json, grantSignature: owner.sign(message(json)) });
}

const imposterKey = generateKey();
const imposter = createTestAuthority('users', imposterKey);
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
    'a root of the same key and another name',
    judge(
      userCredential(owner, {}, {}, createTestAuthority('somebody', imposterKey)),
      trustDocument(2, { roots: { ...trustDocument(1).roots, users: [imposter.root] } }),
    ),
  ],
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
  [
    'certificate-untrusted',
    'an enclave’s certificate',
    judge(userCredential(owner, {}, {}, authorities.enclaves)),
  ],
  [
    'certificate-untrusted',
    'an attestation key’s certificate',
    judge(userCredential(owner, {}, {}, authorities['attestation-keys'])),
  ],
  ['certificate-untrusted', 'an intermediate', judge(userCredential(owner, {}, {}, intermediateAuthority))],
  [
    'certificate-untrusted',
    'a root that has ended',
    judge(
      userCredential(owner, {}, { notAfter: now + 20_000 }),
      trustDocument(1, { issuedAt: now + 10_000 }),
      RULES,
      now + 10_000,
    ),
  ],
  [
    'certificate-malformed',
    'an extension twice',
    judge(withExtensions((all) => [...all, all[0] ?? new Uint8Array()])),
  ],
  [
    'certificate-wrong-role',
    'a critical extension that nobody knows',
    judge(
      withExtensions((all) => [
        ...all,
        sequence(objectIdentifier('1.2.3.4'), booleanTrue(), octetString(new Uint8Array([5, 0]))),
      ]),
    ),
  ],
  [
    'certificate-wrong-role',
    'no key usage',
    judge(withExtensions((all) => all.filter((_, i) => i !== keyUsageAt(all)))),
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
  [
    'grant-invalid',
    'a grant with a member twice',
    judge(grantedBytes((json) => json.replace('{', '{"user":"bob",'))),
  ],
  [
    'grant-invalid',
    'a grant with a member more',
    judge(grantedBytes((json) => json.replace('{', '{"admin":true,'))),
  ],
  [
    'grant-invalid',
    'a grant whose signature is over other bytes',
    judge(
      grantedBytes(
        (json) => json,
        (json) => grantMessage(Buffer.from(` ${Buffer.from(json)}`)),
      ),
    ),
  ],
  [
    'grant-invalid',
    'a revocation in the place of a grant',
    judge(
      grantedBytes(
        (json) => json.replace('enclave-grant/1', 'enclave-grant-revoke/1'),
        (json) => grantMessage(json, 'enclave-grant-revoke/1'),
      ),
    ),
  ],
  [
    'grant-invalid',
    'a revocation’s signature under a grant',
    judge(
      grantedBytes(
        (json) => json,
        (json) => grantMessage(json, 'enclave-grant-revoke/1'),
      ),
    ),
  ],
  [
    'grant-invalid',
    'a grant with an empty signature',
    judge(
      userCredential(other, { user: 'bob', grant: grantFor(other).grant, grantSignature: new Uint8Array() }),
    ),
  ],
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
