import { generateKeyPairSync, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  buildCertificate,
  parseCertificate,
  verifyCertificateSignature,
} from '../../../formats/x509/certificate.ts';
import {
  buildCertificateRequest,
  parseCertificateRequest,
  verifyRequestSignature,
} from '../../../formats/x509/certificate-request.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';

test('what is built parses and verifies', () => {
  const k = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = k.publicKey.export({ type: 'spki', format: 'der' });
  const der = buildCertificate(
    {
      serial: Uint8Array.of(0x91, 2),
      issuer: { commonName: 'x' },
      subject: { commonName: 'x', organizations: ['a', 'b'] },
      notBefore: 1e9,
      notAfter: 3e9,
      spki,
      extensions: {
        basicConstraints: { ca: true, pathLength: 0 },
        keyUsage: ['keyCertSign', 'cRLSign'],
        subjectAltName: { dns: ['a.b'], uri: ['spiffe://x/y'], ip: [Uint8Array.of(127, 0, 0, 1)] },
        enclaveBinding: { podUid: 'u', enclave: 'e', node: 'n', ownerKeySha256: 'ab'.repeat(32) },
        nameConstraints: {
          permitted: { dns: ['x'], uri: [], others: 0 },
          excluded: { dns: [], uri: [], others: 0 },
        },
      },
    },
    (t) => sign('sha256', t, k.privateKey),
    'ecdsa-sha256',
  );
  const r = parseCertificate(der);
  if (!r.ok) throw new Error();
  expect(verifyCertificateSignature(nodeCrypto, r.value, spki)).toBe(true);
  const csr = buildCertificateRequest(
    { spki, dns: ['a.b'], evidence: Uint8Array.of(1, 2, 3) },
    (t) => sign('sha256', t, k.privateKey),
    'ecdsa-sha256',
  );
  const q = parseCertificateRequest(csr);
  if (!q.ok) throw new Error(q.message);
  expect(verifyRequestSignature(nodeCrypto, q.value)).toBe(true);
  expect(q.value.attributes.evidence).toEqual(Uint8Array.of(1, 2, 3));
});
