import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseCertificate, verifyCertificateSignature } from '../../../formats/x509/certificate.ts';
import {
  buildCertificateRequest,
  parseCertificateRequest,
  verifyRequestSignature,
} from '../../../formats/x509/certificate-request.ts';
import { decodePem, encodePem } from '../../../formats/x509/pem.ts';
import { publicKeyKind } from '../../../formats/x509/public-key.ts';
import { OID_EKU_ENCLAVE, OID_ENCLAVE_BINDING, OID_EVIDENCE_CONTENT } from '../../../names/oids.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import { FIXTURE_NOW, fixtureCertificate, fixtureRoot } from '../../support/fixture-certificates.ts';
import { ecKey } from '../../support/fixture-keys.ts';

// Needs the Debian package openssl.
const folder = mkdtempSync(join(tmpdir(), 'enclave-x509-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string) => join(folder, name);
const write = (name: string, content: string | Uint8Array) => {
  writeFileSync(file(name), content);
  return file(name);
};
const openssl = (...args: string[]) =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

describe('openssl', () => {
  test('verifies a chain of ours, name constraints included', () => {
    const root = write('root.pem', encodePem('CERTIFICATE', fixtureRoot('enclaves')));
    const make = (dns: string) =>
      encodePem(
        'CERTIFICATE',
        fixtureCertificate('enclaves', {
          spki: ecKey('leaf').spki,
          extensions: {
            subjectAltName: { dns: [dns], uri: ['spiffe://enclave-licensing.internal/ns/a/sa/b'] },
            enclaveBinding: { podUid: 'u', enclave: 'e', node: 'n', ownerKeySha256: 'ab'.repeat(32) },
          },
        }),
      );
    const at = ['-attime', `${FIXTURE_NOW}`, '-CAfile', root];
    const good = write('leaf.pem', make('e.enclaves.enclave-licensing.internal'));
    expect(openssl('verify', ...at, good)).toContain('OK');
    const text = openssl('x509', '-in', good, '-noout', '-text');
    expect(text).toContain(`${OID_ENCLAVE_BINDING}:`);
    expect(text).toContain(`${OID_EKU_ENCLAVE}, TLS Web Server Authentication`);
    const bad = write('bad.pem', make('e.example.com'));
    expect(() => openssl('verify', ...at, bad)).toThrow(/permitted subtree/);
  });

  test('verifies a request of ours, evidence included', () => {
    const key = ecKey('request');
    const evidence = new Uint8Array(40_000).fill(7);
    const der = buildCertificateRequest(
      { spki: key.spki, dns: ['e.example'], evidence },
      key.sign,
      key.scheme,
    );
    const path = write('request.der', der);
    const text = openssl('req', '-inform', 'der', '-in', path, '-noout', '-verify', '-text');
    expect(text).toContain('DNS:e.example');
    const parsed = parseCertificateRequest(der);
    if (!parsed.ok) throw new Error(parsed.message);
    expect(parsed.value.attributes.evidence).toEqual(evidence);
    expect(parsed.value.attributes.extensionRequest?.subjectAltName?.dns).toEqual(['e.example']);
    expect(verifyRequestSignature(nodeCrypto, parsed.value)).toBe(true);
    const structure = openssl('asn1parse', '-inform', 'der', '-in', path);
    expect(structure).toMatch(/1\.2\.840\.113549\.1\.9\.16\.2\.59|id-aa-evidence/);
    expect(structure).toContain(OID_EVIDENCE_CONTENT);
  });

  test.each([
    ['ec', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], 'p256'],
    ['ec384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-sha384'], 'p384'],
    ['rsa', ['-newkey', 'rsa:2048'], 'rsa-2048'],
    [
      'pss',
      ['-newkey', 'rsa:2048', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest'],
      'rsa-2048',
    ],
  ])('its certificates and requests are read (%s)', (kind, options, expected) => {
    const subject = ['-subj', '/O=a/O=b/CN=c', '-nodes', '-keyout', file(`${kind}.key`)];
    const san = ['-addext', 'subjectAltName=DNS:x.example,URI:spiffe://d/ns/a/sa/b,IP:127.0.0.1'];
    openssl('req', '-x509', ...options, ...subject, ...san, '-days', '3', '-out', file(`${kind}.pem`));
    const blocks = decodePem('CERTIFICATE', readFileSync(file(`${kind}.pem`), 'utf8'));
    const parsed = parseCertificate(blocks.ok ? (blocks.value[0] ?? new Uint8Array()) : new Uint8Array());
    if (!parsed.ok) throw new Error(parsed.message);
    const { commonName, organizations, extensions, spki } = parsed.value;
    expect([commonName, organizations]).toEqual(['c', ['a', 'b']]);
    expect(extensions.subjectAltName).toMatchObject({
      dns: ['x.example'],
      uri: ['spiffe://d/ns/a/sa/b'],
      others: 0,
    });
    expect(publicKeyKind(spki)).toBe(expected);
    expect(verifyCertificateSignature(nodeCrypto, parsed.value, spki)).toBe(true);

    openssl('req', '-new', ...options, ...subject, ...san, '-outform', 'der', '-out', file(`${kind}.csr`));
    const request = parseCertificateRequest(new Uint8Array(readFileSync(file(`${kind}.csr`))));
    if (!request.ok) throw new Error(request.message);
    expect(verifyRequestSignature(nodeCrypto, request.value)).toBe(true);
    expect(request.value.attributes.extensionRequest?.subjectAltName?.dns).toEqual(['x.example']);
  });
});
