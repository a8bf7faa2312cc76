import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type IssuerPem, makeIssuer, readIssuer } from '../../certs/authority/issuer-pem.ts';
import { issue } from '../../certs/issue/issue.ts';
import { LIFETIMES } from '../../certs/issue/lifetimes.ts';
import type { CertificateProfile } from '../../certs/issue/profile.ts';
import {
  attestationKeyProfile,
  componentProfile,
  enclaveProfile,
  userProfile,
} from '../../certs/issue/profiles.ts';
import { toHex } from '../../formats/bytes/bytes.ts';
import { parseRoots, rootsToJson } from '../../formats/evidence/roots.ts';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { ISSUERS, type Issuer } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { verifyChain } from '../../verify/certificate-chain.ts';
import {
  DOMAINS,
  issuerContext,
  NOW,
  removeFolders,
  serial,
  temporaryFolder,
  testAuthority,
} from './support.ts';

afterAll(removeFolders);

const authority = testAuthority();
const roots = Object.fromEntries(
  ISSUERS.map((issuer) => [issuer, [authority.issuer(issuer).certificate.der]]),
) as unknown as Record<Issuer, Uint8Array[]>;

const spki = generateKey().spki;
const BINDING = { podUid: 'uid-1', enclave: 'e1', node: 'node-1', ownerKeySha256: 'ab'.repeat(32) };
const NAMES = {
  dns: `e1.${DOMAINS.enclaveDomain}`,
  spiffeId: `spiffe://${DOMAINS.trustDomain}/ns/team/sa/default`,
};
const PROFILES: Record<Issuer, CertificateProfile> = {
  system: componentProfile(spki, ['front.enclave-licensing.internal', 'enclave-front.enclave-licensing.svc']),
  enclaves: enclaveProfile(spki, NAMES, BINDING),
  users: userProfile(spki, { enclave: 'e1', user: 'alice' }),
  'attestation-keys': attestationKeyProfile(spki, 'node-1', { ekSha256: 'cd'.repeat(32), how: 'emulated' }),
};

function certificateOf(profile: CertificateProfile, now = NOW) {
  const key = authority.issuer(profile.issuer);
  const issued = issue(profile, { crypto: nodeCrypto, key, now, serial: serial() });
  if (!issued.ok) throw new Error(issued.message);
  return issued.value;
}

/** OpenSSL's own opinion. */
function opensslVerify(certificate: Uint8Array, root: Uint8Array, ...options: string[]): boolean {
  const at = temporaryFolder();
  writeFileSync(join(at, 'leaf.pem'), encodePem('CERTIFICATE', certificate));
  writeFileSync(join(at, 'root.pem'), encodePem('CERTIFICATE', root));
  try {
    execFileSync(
      'openssl',
      [
        ...['verify', '-x509_strict', '-check_ss_sig', '-attime', String(NOW + 60)],
        ...[...options, '-CAfile', join(at, 'root.pem'), join(at, 'leaf.pem')],
      ],
      { stdio: 'pipe' },
    );
    return true;
  } catch {
    return false;
  }
}

describe('an issuer that was kept', () => {
  const context = issuerContext();
  const users = makeIssuer('users', context);
  const open =
    (pem: Partial<IssuerPem>, issuer: Issuer = 'users', at = context) =>
    () =>
      readIssuer('here', issuer, { ...users, ...pem }, at);

  test('is the same when it is opened again', () => {
    const again = open({}, 'users', issuerContext(NOW + 86_400))().certificate.der;
    expect(again).toEqual(open({})().certificate.der);
    expect(users.key).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    const text = rootsToJson(roots);
    expect(parseRoots(text).ok).toBe(true);
  });

  test('is refused when it does not fit, in words that do not hold the key', () => {
    const system = makeIssuer('system', context);
    for (const [wrong, why] of [
      [{ key: system.key }, 'for another key'],
      [{ key: 'nonsense' }, 'no PKCS#8'],
      [{ key: '' }, 'no PKCS#8'],
      [{ certificate: '' }, 'here: PEM: empty'],
      [{ certificate: users.certificate + users.certificate }, 'one certificate is expected'],
      [{ certificate: users.certificate.replace(/\n[^\n]{8}/, '\nAAAAAAAA') }, 'here: '],
      [system, 'another role’s'],
    ] as const)
      expect(open(wrong), why).toThrow(why);
    const damaged = users.key.replace('PRIVATE', 'PUBLIC');
    expect(open({ key: damaged })).toThrow(/^here: the key is no PKCS#8 private key in PEM$/);
  });

  test('is for one trust domain, one enclave domain and its time', () => {
    const enclaves = makeIssuer('enclaves', context);
    const elsewhere = { ...context, enclaveDomain: 'other.example' };
    expect(open(enclaves, 'enclaves', elsewhere)).toThrow('another trust domain or enclave domain');
    expect(open({}, 'users', issuerContext(NOW + 11 * 365 * 86_400))).toThrow('not valid now');
  });
});

describe('issue', () => {
  test.each(ISSUERS)('%s: verifies by OpenSSL and by us under its own root, and under no other', (issuer) => {
    const { certificate } = certificateOf(PROFILES[issuer]);
    const [root = new Uint8Array()] = roots[issuer];
    const purpose = {
      system: 'sslserver',
      enclaves: 'sslserver',
      users: 'sslclient',
      'attestation-keys': 'any',
    }[issuer];
    expect(opensslVerify(certificate, root, '-purpose', purpose)).toBe(true);
    const verified = verifyChain(nodeCrypto, [certificate], { roots, role: issuer, now: NOW });
    expect(verified.ok ? 'ok' : verified.message).toBe('ok');
    for (const other of ISSUERS.filter((each) => each !== issuer)) {
      expect(opensslVerify(certificate, roots[other][0] ?? root)).toBe(false);
      expect(verifyChain(nodeCrypto, [certificate], { roots, role: other, now: NOW }).ok).toBe(false);
    }
  });

  test('a component is server and client, an enclave no client, a user no server', () => {
    const by = (issuer: Issuer, purpose: string) =>
      opensslVerify(
        certificateOf(PROFILES[issuer]).certificate,
        roots[issuer][0] ?? spki,
        '-purpose',
        purpose,
      );
    expect([by('system', 'sslserver'), by('system', 'sslclient')]).toEqual([true, true]);
    expect([by('enclaves', 'sslserver'), by('enclaves', 'sslclient')]).toEqual([true, false]);
    expect([by('users', 'sslserver'), by('users', 'sslclient')]).toEqual([false, true]);
  });

  test('the enclaves root names only its domains', () => {
    for (const names of [
      { ...NAMES, dns: 'e1.example.com' },
      { ...NAMES, spiffeId: 'spiffe://elsewhere.example/ns/team/sa/default' },
    ]) {
      const { certificate } = certificateOf(enclaveProfile(spki, names, BINDING));
      expect(opensslVerify(certificate, roots.enclaves[0] ?? spki), names.dns).toBe(false);
      expect(verifyChain(nodeCrypto, [certificate], { roots, role: 'enclaves', now: NOW }).ok).toBe(false);
    }
  });

  test('roots sign no other authority', () => {
    const key = authority.issuer('enclaves');
    const { certificate } = certificateOf(PROFILES.enclaves);
    const parsed = parseCertificate(certificate);
    if (!parsed.ok) throw new Error(parsed.message);
    expect(key.certificate.extensions.basicConstraints).toEqual({ ca: true, pathLength: 0 });
    expect(parsed.value.extensions).toMatchObject({
      basicConstraints: { ca: false },
      keyUsage: ['digitalSignature'],
      enclaveBinding: BINDING,
      subjectAltName: { dns: [NAMES.dns], uri: [NAMES.spiffeId] },
    });
    expect(toHex(parsed.value.extensions.authorityKeyIdentifier ?? spki)).toBe(
      toHex(key.certificate.extensions.subjectKeyIdentifier ?? serial()),
    );
  });

  test('the lifetime is clamped, never trusted', () => {
    const lifetime = (wishes: Pick<CertificateProfile, 'wishedSeconds' | 'notAfterLimit'>) =>
      certificateOf({ ...PROFILES.users, ...wishes }).notAfter - NOW;
    expect(lifetime({})).toBe(86_400);
    expect(lifetime({ wishedSeconds: 10 ** 9 })).toBe(86_400);
    expect(lifetime({ wishedSeconds: 3600 })).toBe(3600);
    expect(lifetime({ wishedSeconds: -5 })).toBe(LIFETIMES.users.least);
    expect(lifetime({ wishedSeconds: 3600, notAfterLimit: NOW + 5 })).toBe(5);
    const context = { crypto: nodeCrypto, key: authority.issuer('users'), now: NOW, serial: serial() };
    expect(issue({ ...PROFILES.users, notAfterLimit: NOW }, context)).toMatchObject({ code: 'lifetime' });
    const end = authority.issuer('users').certificate.notAfter;
    expect(certificateOf(PROFILES.users, end - 100).notAfter).toBe(end);
  });

  test('a key signs for its own role only', () => {
    const context = { crypto: nodeCrypto, key: authority.issuer('system'), now: NOW, serial: serial() };
    expect(() => issue(PROFILES.users, context)).toThrow('by the key of system');
  });
});
