import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../../formats/bytes/bytes.ts';
import {
  buildCertificateRequest,
  parseCertificateRequest,
  verifyRequestSignature,
} from '../../../formats/x509/certificate-request.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import { ecKey } from '../../support/fixture-keys.ts';

const key = ecKey('request');
const fields = fc.record({
  subject: fc.record({
    commonName: fc.option(fc.string({ unit: 'grapheme-ascii', minLength: 1 }), { nil: undefined }),
  }),
  spki: fc.constant(key.spki),
  dns: fc.array(fc.domain(), { maxLength: 3 }),
  uri: fc.array(fc.webUrl(), { maxLength: 2 }),
  evidence: fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined }),
});

describe('certificate requests', () => {
  test('what is built is read back, and its signature covers all of it', () => {
    fc.assert(
      fc.property(fields, (each) => {
        const parsed = parseCertificateRequest(buildCertificateRequest(each, key.sign, key.scheme));
        if (!parsed.ok) throw new Error(parsed.message);
        const { commonName, spki, attributes } = parsed.value;
        const { dns = [], uri = [] } = attributes.extensionRequest?.subjectAltName ?? {};
        expect({ subject: { commonName }, spki, dns, uri, evidence: attributes.evidence }).toEqual(each);
        expect(verifyRequestSignature(nodeCrypto, parsed.value)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('mutations never throw, and none keeps the signature', () => {
    const der = buildCertificateRequest(
      { spki: key.spki, dns: ['a.example'], evidence: Uint8Array.of(1) },
      key.sign,
      key.scheme,
    );
    const info = (bytes: Uint8Array) => {
      const parsed = parseCertificateRequest(bytes);
      return parsed.ok ? parsed.value : undefined;
    };
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.nat(255), fc.nat(2), (at, value, remove) => {
        const read = info(Uint8Array.from([...der.slice(0, at), value, ...der.slice(at + remove)]));
        if (read && toHex(read.info) !== toHex(info(der)?.info ?? read.info))
          expect(verifyRequestSignature(nodeCrypto, read)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  test('over 64 KiB and of another version is refused', () => {
    expect(parseCertificateRequest(new Uint8Array(65_537))).toMatchObject({ code: 'x509-too-large' });
    const der = buildCertificateRequest({ spki: key.spki }, key.sign, key.scheme);
    const version = Uint8Array.from(Buffer.from(toHex(der).replace('020100', '020101'), 'hex'));
    expect(parseCertificateRequest(version)).toMatchObject({ code: 'x509-unsupported' });
  });
});
