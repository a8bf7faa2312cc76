import { describe, expect, test } from 'vitest';
import { fromBase64 } from '../../formats/bytes/base64.ts';
import { toHex } from '../../formats/bytes/bytes.ts';
import { buildCertificate } from '../../formats/x509/certificate.ts';
import { OID_EKU_SERVER_AUTH } from '../../names/oids.ts';
import { ISSUERS, type Issuer } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { type ChainOptions, verifyChain } from '../../verify/certificate-chain.ts';
import { EK_SHA256 } from '../support/evidence.ts';
import {
  FIXTURE_NOW,
  fixtureCertificate,
  fixtureRoot,
  fixtureRoots,
  issuerKey,
  type LeafFields,
  USAGES,
} from '../support/fixture-certificates.ts';
import { ecKey } from '../support/fixture-keys.ts';

const { spki } = ecKey('leaf');
const roots = fixtureRoots();
const ENCLAVE_DNS = 'e1.enclaves.enclave-licensing.internal';
const LEAVES: Readonly<Record<Issuer, Partial<LeafFields>>> = {
  system: { extensions: { subjectAltName: { dns: ['certs.enclave-licensing.internal'], uri: [] } } },
  enclaves: {
    extensions: {
      subjectAltName: { dns: [ENCLAVE_DNS], uri: ['spiffe://enclave-licensing.internal/ns/a/sa/b'] },
      enclaveBinding: { podUid: 'u', enclave: 'e1', node: 'n' },
    },
  },
  users: { subject: { commonName: 'ada' }, extensions: { userBinding: { enclave: 'e1', user: 'ada' } } },
  'attestation-keys': {
    subject: { commonName: 'node-1' },
    extensions: { tpmTrust: { ekSha256: EK_SHA256, how: 'listed' } },
  },
};

function judge(chain: readonly Uint8Array[], options: Partial<ChainOptions> & { role: Issuer }): string {
  const result = verifyChain(nodeCrypto, chain, { roots, now: FIXTURE_NOW, ...options });
  return result.ok ? 'ok' : result.code;
}
const leaf = (issuer: Issuer, change: Partial<LeafFields> = {}) =>
  fixtureCertificate(issuer, { spki, ...LEAVES[issuer], ...change });

describe('verifyChain', () => {
  test('a certificate passes for its own role and for no other', () => {
    for (const issuer of ISSUERS)
      for (const role of ISSUERS)
        expect(judge([leaf(issuer)], { role }), `${issuer} as ${role}`).toBe(
          issuer === role ? 'ok' : 'chain-untrusted',
        );
  });

  test('even when one key signs for every role', () => {
    const one = roots.users;
    const shared = { system: one, enclaves: one, users: one, 'attestation-keys': one };
    for (const role of ISSUERS)
      expect(judge([leaf('users')], { role, roots: shared }), role).toBe(
        role === 'users' ? 'ok' : 'chain-role',
      );
  });

  test('two roles in one certificate are none', () => {
    const both = { ...LEAVES.users.extensions, extendedKeyUsage: [...USAGES.users, ...USAGES.enclaves] };
    expect(judge([leaf('users', { extensions: both })], { role: 'users' })).toBe('chain-role');
  });

  test('an empty set of roots refuses everything', () => {
    expect(judge([leaf('system')], { role: 'system', roots: { ...roots, system: [] } })).toBe(
      'chain-no-roots',
    );
    expect(judge([], { role: 'system' })).toBe('chain-empty');
  });

  test('names: exactly one of them, whatever its case', () => {
    const names = { role: 'system', usages: [OID_EKU_SERVER_AUTH] } as const;
    expect(judge([leaf('system')], { ...names, dnsName: 'Certs.enclave-licensing.internal' })).toBe('ok');
    expect(judge([leaf('system')], { ...names, dnsName: 'front.enclave-licensing.internal' })).toBe(
      'chain-name',
    );
    expect(judge([leaf('system')], { ...names, dnsName: 'enclave-licensing.internal' })).toBe('chain-name');
  });

  test('an intermediate passes only where its root allows one', () => {
    const middle = ecKey('middle');
    const wide = fixtureRoot('users', (f) => ({
      ...f,
      extensions: { ...f.extensions, basicConstraints: { ca: true, pathLength: 1 } },
    }));
    const rootKey = issuerKey('users');
    const intermediate = (ca: boolean) =>
      buildCertificate(
        {
          serial: Uint8Array.of(3),
          issuer: { commonName: 'cluster users' },
          subject: { commonName: 'middle' },
          notBefore: FIXTURE_NOW - 60,
          notAfter: FIXTURE_NOW + 60,
          spki: middle.spki,
          extensions: { basicConstraints: { ca }, keyUsage: ['keyCertSign'], extendedKeyUsage: USAGES.users },
        },
        rootKey.sign,
        rootKey.scheme,
      );
    const user = buildCertificate(
      {
        serial: Uint8Array.of(4),
        issuer: { commonName: 'middle' },
        subject: { commonName: 'ada' },
        notBefore: FIXTURE_NOW - 60,
        notAfter: FIXTURE_NOW + 60,
        spki,
        extensions: {
          keyUsage: ['digitalSignature'],
          extendedKeyUsage: USAGES.users,
          ...LEAVES.users.extensions,
        },
      },
      middle.sign,
      middle.scheme,
    );
    const widened = { role: 'users', roots: { ...roots, users: [wide] } } as const;
    expect(judge([user, intermediate(true)], widened)).toBe('ok');
    expect(judge([user, intermediate(true)], { role: 'users' })).toBe('chain-not-a-ca');
    expect(judge([user, intermediate(false)], widened)).toBe('chain-not-a-ca');
    expect(judge([user, leaf('users')], widened)).toBe('chain-not-a-ca');
  });

  test('a root that is held counts only when its fingerprint is listed, whatever others are', () => {
    const fingerprint = (der: Uint8Array) => toHex(nodeCrypto.hash('sha256', der));
    const [mine] = roots.system.map(fingerprint);
    const judged = (acceptedRoots: readonly string[]) =>
      judge([leaf('system')], { role: 'system', acceptedRoots });
    expect(judged([mine ?? ''])).toBe('ok');
    expect(judged(roots.enclaves.map(fingerprint))).toBe('chain-untrusted');
    expect(judged([])).toBe('chain-untrusted');
    // Renewed with the same name and key: either may be the one that is listed.
    const renewed = fixtureRoot('system', (f) => ({ ...f, notAfter: FIXTURE_NOW + 120 }));
    for (const both of [
      [renewed, ...roots.system],
      [...roots.system, renewed],
    ])
      expect(
        judge([leaf('system')], {
          role: 'system',
          roots: { ...roots, system: both },
          acceptedRoots: [fingerprint(renewed)],
        }),
      ).toBe('ok');
  });

  test('a URI outside the trust domain is refused', () => {
    const foreign = { dns: [ENCLAVE_DNS], uri: ['spiffe://elsewhere.example/ns/a/sa/b'] };
    const { extensions } = LEAVES.enclaves;
    expect(
      judge([leaf('enclaves', { extensions: { ...extensions, subjectAltName: foreign } })], {
        role: 'enclaves',
      }),
    ).toBe('chain-name-constraints');
  });

  test('a critical extension that nobody knows is refused', () => {
    const unknown = fromBase64(UNKNOWN_CRITICAL) ?? new Uint8Array();
    expect(judge([unknown], { role: 'system', roots: { ...roots, system: [unknown] } })).toBe(
      'chain-critical-extension',
    );
  });
});

/** Self-signed P-256, by `openssl req -x509 -addext '1.2.3.4=critical,DER:0500' -not_after ...`. */
const UNKNOWN_CRITICAL =
  'MIIBbTCCARKgAwIBAgIUD+zH1J15aiGZK3jVTB5MLPDIYJowCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBdTAgFw0yNjExMjMwMDAwNTVaGA8yMTI2MTAzMDAwMDA1NVowDDEKMAgGA1UEAwwBdTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCwYlY28HXhXDlDfjVwIGplgNJnBLLI7qbB9tDMfDTptt+yRSzFYW7gqzSeGsGKrZChKypnQjMW2GK/jpGJOl0qjUDBOMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgIEMAwGAyoDBAEB/wQCBQAwHQYDVR0OBBYEFGo8uoKOS+UYx2t9K9Ip8dH7UNytMAoGCCqGSM49BAMCA0kAMEYCIQDtcYSvYZxqD0kRnsHQtWrqhooWK+5GH3b1VUCPOcXV4AIhAOOyumNbRIrfU3/jqgQi6ecflV7n5W5F/d7mlxM8IAiH';
