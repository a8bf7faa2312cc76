import 'reflect-metadata';
import { X509Certificate as NodeCertificate } from 'node:crypto';
import { X509Certificate as SecondOpinion } from '@peculiar/x509';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../../formats/bytes/bytes.ts';
import {
  buildCertificate,
  type Certificate,
  type CertificateFields,
  parseCertificate,
  verifyCertificateSignature,
} from '../../../formats/x509/certificate.ts';
import { type Extensions, KEY_USAGES } from '../../../formats/x509/extensions.ts';
import { OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH, OID_ENCLAVE_BINDING } from '../../../names/oids.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import { fixtureCertificate, fixtureRoot } from '../../support/fixture-certificates.ts';
import { ecKey } from '../../support/fixture-keys.ts';
import { rsaKey } from '../../support/fixture-rsa-key.ts';

const key = ecKey('x509 test');

function parsed(der: Uint8Array): Certificate {
  const result = parseCertificate(der);
  if (!result.ok) throw new Error(result.message);
  return result.value;
}

const name = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 });
const dns = fc.domain();
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const grantPair = fc.tuple(fc.uint8Array({ maxLength: 400 }), fc.uint8Array({ maxLength: 80 }));
const userBinding = fc
  .record({ enclave: name, user: name, pair: optional(grantPair) })
  .map(({ pair, ...who }) => (pair ? { ...who, grant: pair[0], grantSignature: pair[1] } : who));
const extensions: fc.Arbitrary<Extensions> = fc.record({
  basicConstraints: fc.oneof(
    fc.constant({ ca: false }),
    fc.record({ ca: fc.constant(true), pathLength: optional(fc.nat(300)) }),
  ),
  keyUsage: optional(fc.subarray([...KEY_USAGES], { minLength: 1 })),
  extendedKeyUsage: optional(
    fc.subarray([OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH, '2.999.4294967296'], { minLength: 1 }),
  ),
  subjectAltName: optional(
    fc.record({
      dns: fc.array(dns, { minLength: 1, maxLength: 3 }),
      uri: fc.array(fc.webUrl(), { maxLength: 2 }),
      ip: fc.array(fc.uint8Array({ minLength: 4, maxLength: 4 }), { maxLength: 2 }),
      others: fc.constant(0),
    }),
  ),
  subjectKeyIdentifier: optional(fc.uint8Array({ minLength: 1, maxLength: 20 })),
  authorityKeyIdentifier: optional(fc.uint8Array({ minLength: 1, maxLength: 20 })),
  enclaveBinding: optional(
    fc.record({ podUid: name, enclave: name, node: name, ownerKeySha256: optional(hash.map(toHex)) }),
  ),
  userBinding: optional(userBinding),
  tpmTrust: optional(
    fc.record({ ekSha256: hash.map(toHex), how: fc.constantFrom('vendor-root', 'listed', 'emulated') }),
  ),
});
const fields: fc.Arbitrary<CertificateFields> = fc.record({
  serial: fc.uint8Array({ minLength: 1, maxLength: 19 }),
  issuer: fc.record({ commonName: name, organizations: fc.array(name, { maxLength: 2 }) }),
  subject: fc.record({ commonName: optional(name), organizations: fc.array(name, { maxLength: 2 }) }),
  notBefore: fc.integer({ min: -631_152_000, max: 4_000_000_000 }),
  notAfter: fc.integer({ min: 0, max: 253_402_300_799 }),
  spki: fc.constant(key.spki),
  extensions,
});
const build = (each: CertificateFields) => buildCertificate(each, key.sign, key.scheme);

describe('certificates', () => {
  test('what is built is read back, and builds the same bytes again', () => {
    fc.assert(
      fc.property(fields, (each) => {
        const der = build(each);
        const read = parsed(der);
        const { unknown, unknownCritical, ...known } = read.extensions;
        expect(known).toEqual(each.extensions);
        expect([...unknown, ...unknownCritical]).toEqual([]);
        expect([read.notBefore, read.notAfter, read.commonName]).toEqual([
          each.notBefore,
          each.notAfter,
          each.subject instanceof Uint8Array ? undefined : each.subject.commonName,
        ]);
        expect(build({ ...each, issuer: read.issuer, subject: read.subject, extensions: known })).toEqual(
          der,
        );
        expect(verifyCertificateSignature(nodeCrypto, read, key.spki)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('node:crypto and @peculiar/x509 read the same out of it', () => {
    const der = fixtureCertificate('enclaves', {
      spki: key.spki,
      serial: Uint8Array.of(0xfe, 1),
      extensions: {
        subjectAltName: { dns: ['e.example'], uri: ['spiffe://d/ns/a/sa/b'] },
        enclaveBinding: { podUid: 'u', enclave: 'e', node: 'n' },
      },
    });
    const ours = parsed(der);
    const node = new NodeCertificate(der);
    expect(node.serialNumber).toBe('FE01');
    expect(node.subjectAltName).toBe('DNS:e.example, URI:spiffe://d/ns/a/sa/b');
    expect(node.verify(new NodeCertificate(fixtureRoot('enclaves')).publicKey)).toBe(true);
    const other = new SecondOpinion(der);
    expect(other.notAfter.getTime()).toBe(1000 * ours.notAfter);
    expect(new Uint8Array(other.publicKey.rawData)).toEqual(ours.spki);
    expect(other.extensions.map(({ type }) => type)).toContain(OID_ENCLAVE_BINDING);
  });

  test('every signature scheme of the table', () => {
    const keys = [
      ecKey('a', 'p384', 'sha384'),
      rsaKey('2048'),
      rsaKey('2048', 'rsassa', 'sha384'),
      rsaKey('2048', 'rsapss'),
      rsaKey('2048', 'rsapss', 'sha384'),
    ];
    for (const each of keys) {
      const read = parsed(
        buildCertificate(
          {
            serial: Uint8Array.of(1),
            issuer: {},
            subject: {},
            notBefore: 0,
            notAfter: 1,
            spki: each.spki,
            extensions: { basicConstraints: { ca: true } },
          },
          each.sign,
          each.scheme,
        ),
      );
      expect(read.signatureAlgorithm).toBe(each.scheme);
      expect(verifyCertificateSignature(nodeCrypto, read, each.spki)).toBe(true);
      expect(new NodeCertificate(read.der).verify(new NodeCertificate(read.der).publicKey)).toBe(true);
    }
  });

  test('mutations never throw, and what still parses is no other reading of the same bytes', () => {
    const der = fixtureCertificate('users', {
      spki: key.spki,
      subject: { commonName: 'ada' },
      extensions: { userBinding: { enclave: 'e', user: 'ada' } },
    });
    const original = parsed(der);
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.nat(255), fc.nat(2), (at, value, remove) => {
        const mutated = Uint8Array.from([...der.slice(0, at), value, ...der.slice(at + remove)]);
        const result = parseCertificate(mutated);
        if (!result.ok) expect(result.code).toMatch(/^x509-/);
        else if (toHex(result.value.tbs) !== toHex(original.tbs))
          expect(verifyCertificateSignature(nodeCrypto, result.value, key.spki)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  test('left-over bytes, BER lengths and extensions that are there twice are refused', () => {
    const der = fixtureRoot('system');
    const refused = (bytes: Uint8Array) => {
      const result = parseCertificate(bytes);
      return result.ok ? undefined : result.code;
    };
    expect(refused(Uint8Array.from([...der, 0]))).toBe('x509-not-der');
    expect(refused(Uint8Array.from([0x30, 0x80, ...der.slice(4), 0, 0]))).toBe('x509-not-der');
    expect(refused(Uint8Array.from([0x30, 0x83, 0, ...der.slice(2)]))).toBe('x509-not-der');
    expect(refused(new Uint8Array(8193))).toBe('x509-too-large');
    const twice = build({
      serial: Uint8Array.of(1),
      issuer: {},
      subject: {},
      notBefore: 0,
      notAfter: 1,
      spki: key.spki,
      extensions: { subjectKeyIdentifier: Uint8Array.of(1), authorityKeyIdentifier: Uint8Array.of(1) },
    });
    // 2.5.29.35 made 2.5.29.14: both have a content that this extension could have as far as its tag.
    const text = toHex(twice).replace('0603551d23', '0603551d0e');
    expect(refused(Uint8Array.from(Buffer.from(text, 'hex')))).toBe('x509-malformed');
  });
});
