import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { toHex, toUtf8 } from '../../../formats/bytes/bytes.ts';
import type { SignatureScheme } from '../../../formats/crypto/crypto.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';

const spki = { type: 'spki', format: 'der' } as const;
const message = toUtf8('message');

describe('nodeCrypto', () => {
  test('hashes', () => {
    expect(toHex(nodeCrypto.hash('sha256', toUtf8('abc')))).toMatch(/^ba7816bf/);
    expect(nodeCrypto.hash('sha384', message)).toHaveLength(48);
  });

  test('verifies ECDSA and RSA, and nothing that is off by one bit or by scheme', () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const ecKey = ec.publicKey.export(spki);
    const rsaKey = rsa.publicKey.export(spki);
    const made: [SignatureScheme, Uint8Array, Buffer][] = [
      ['ecdsa-sha256', ecKey, sign('sha256', message, ec.privateKey)],
      ['ecdsa-sha384', ecKey, sign('sha384', message, ec.privateKey)],
      ['rsassa-sha256', rsaKey, sign('sha256', message, rsa.privateKey)],
      ['rsapss-sha256', rsaKey, sign('sha256', message, { key: rsa.privateKey, padding: 6, saltLength: 32 })],
    ];
    for (const [scheme, key, signature] of made) {
      expect(nodeCrypto.verifySignature(key, scheme, message, signature), scheme).toBe(true);
      for (const [other, otherKey] of made)
        if (other !== scheme)
          expect(nodeCrypto.verifySignature(otherKey, other, message, signature)).toBe(false);
      signature[signature.length - 1] = (signature.at(-1) ?? 0) ^ 1;
      expect(nodeCrypto.verifySignature(key, scheme, message, signature), scheme).toBe(false);
    }
  });

  test('an RSA-PSS salt is as long as the hash; a TPM’s may be as long as fits; no other length passes', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const rsaKey = new Uint8Array(rsa.publicKey.export({ type: 'spki', format: 'der' }));
    for (const [hash, length] of [
      ['sha256', 32],
      ['sha384', 48],
    ] as const) {
      const verifiedAs =
        (scheme: 'rsapss' | 'tpm-rsapss') =>
        (saltLength: number): boolean =>
          nodeCrypto.verifySignature(
            rsaKey,
            `${scheme}-${hash}`,
            message,
            sign(hash, message, { key: rsa.privateKey, padding: 6, saltLength }),
          );
      const longest = 256 - length - 2;
      expect([length, longest].map(verifiedAs('tpm-rsapss'))).toEqual([true, true]);
      expect([length, longest].map(verifiedAs('rsapss'))).toEqual([true, false]);
      const others = [0, length - 1, length + 1, longest - 1];
      expect(others.map(verifiedAs('tpm-rsapss'))).toEqual([false, false, false, false]);
    }
  });

  test('what is no key, a weak key or a foreign curve does not verify and does not throw', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const curve = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
    const signed = (key: typeof weak) => sign('sha256', message, key.privateKey);
    expect(
      nodeCrypto.verifySignature(weak.publicKey.export(spki), 'rsassa-sha256', message, signed(weak)),
    ).toBe(false);
    expect(
      nodeCrypto.verifySignature(curve.publicKey.export(spki), 'ecdsa-sha256', message, signed(curve)),
    ).toBe(false);
    expect(nodeCrypto.verifySignature(Uint8Array.of(1), 'ecdsa-sha256', message, Uint8Array.of(2))).toBe(
      false,
    );
  });
});
