import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equal, fromHex, toHex } from '../../../formats/bytes/bytes.ts';
import type { Result } from '../../../formats/bytes/result.ts';
import { type Attest, decodeAttest, encodeAttest } from '../../../formats/tpm/attest.ts';
import { decodeIdObject, encodeIdObject } from '../../../formats/tpm/credential.ts';
import {
  decodePcrSelection,
  encodePcrSelection,
  selectedPcrs,
  selectPcrs,
} from '../../../formats/tpm/pcr-selection.ts';
import { decodePublic, encodePublic, objectName, publicToSpki } from '../../../formats/tpm/public.ts';
import {
  decodeSignature,
  encodeSignature,
  type Signature,
  signatureToScheme,
} from '../../../formats/tpm/signature.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import { attests, ecPublic, rsaPublic } from './samples.ts';

const signatures: readonly Signature[] = [
  { kind: 'ecdsa', hash: 'sha256', r: new Uint8Array(32).fill(0xff), s: new Uint8Array(31).fill(1) },
  { kind: 'rsassa', hash: 'sha384', signature: new Uint8Array(256) },
  { kind: 'rsapss', hash: 'sha256', signature: new Uint8Array(256) },
];

type Codec = readonly [
  string,
  (bytes: Uint8Array) => Result<unknown>,
  (value: never) => Uint8Array,
  readonly unknown[],
];
const codecs: readonly Codec[] = [
  ['Attest', decodeAttest, encodeAttest, attests],
  ['Public', decodePublic, encodePublic, [ecPublic, rsaPublic]],
  ['Signature', decodeSignature, encodeSignature, signatures],
  [
    'IdObject',
    decodeIdObject,
    encodeIdObject,
    [{ integrityHmac: new Uint8Array(32), encIdentity: new Uint8Array(34) }],
  ],
  ['PcrSelection', decodePcrSelection, encodePcrSelection, [selectPcrs({ hash: 'sha384', pcrs: [23] })]],
];

describe.each(codecs)('%s', (_, decode, encode, values) => {
  test('what is written is read back, to the last byte', () => {
    for (const value of values) {
      const bytes = encode(value as never);
      expect(decode(bytes)).toEqual({ ok: true, value });
      expect(decode(bytes.subarray(0, bytes.length - 1)).ok).toBe(false);
      expect(decode(Uint8Array.of(...bytes, 0)).ok).toBe(false);
    }
  });

  test('whatever the bytes, they are refused or written back the same', () => {
    const sample = encode(values[0] as never);
    const mutation = fc.tuple(
      fc.nat(sample.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.nat(sample.length),
    );
    const isTotal = (bytes: Uint8Array): boolean => {
      const decoded = decode(bytes);
      return decoded.ok ? equal(encode(decoded.value as never), bytes) : decoded.message !== '';
    };
    fc.assert(
      fc.property(mutation, fc.boolean(), ([at, change, cut], cutting) => {
        const bytes = sample.slice(0, cutting ? cut : undefined);
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ change;
        return isTotal(bytes);
      }),
      { numRuns: 400 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), isTotal));
  });
});

describe('refusals name the field', () => {
  const quote = attests[0] as Attest;
  const at = (bytes: Uint8Array, offset: number, value: number): Uint8Array => {
    const changed = bytes.slice();
    changed[offset] = value;
    return changed;
  };
  const bytes = encodeAttest(quote);
  test.each([
    ['the magic', at(bytes, 0, 0xfe), 'tpm-bad-value', 'magic'],
    ['an unknown type', at(bytes, 5, 0x99), 'tpm-bad-value', 'type'],
    ['safe = 2', at(bytes, 4 + 2 + 36 + 34 + 16, 2), 'tpm-bad-value', 'clockInfo.safe'],
    ['a longer name', at(bytes, 7, 67), 'tpm-too-large', 'qualifiedSigner'],
    ['seventeen banks', at(bytes, 4 + 2 + 36 + 34 + 17 + 8 + 3, 17), 'tpm-too-large', 'attested.pcrSelect'],
    ['a byte more', Uint8Array.of(...bytes, 0), 'tpm-left-over', ''],
    ['a byte less', bytes.subarray(0, -1), 'tpm-truncated', 'attested.pcrDigest'],
  ])('%s', (_, input, code, field) => {
    const decoded = decodeAttest(input);
    expect(decoded.ok ? 'ok' : decoded.code).toBe(code);
    expect(decoded.ok ? '' : decoded.message).toContain(field);
  });

  test('a reserved attribute bit', () => {
    const decoded = decodePublic(at(encodePublic(ecPublic), 4, 0x80));
    expect(decoded.ok ? 'ok' : decoded.message).toContain('attributes');
  });

  test('unions of one selector that differ in kind are a defect', () => {
    expect(() => encodePublic({ ...ecPublic, unique: rsaPublic.unique })).toThrow(RangeError);
  });
});

describe('PCR selection', () => {
  test('bit n of octet m is PCR 8m + n', () => {
    const selection = selectPcrs({ hash: 'sha256', pcrs: [0, 1, 9, 23] });
    expect(toHex(encodePcrSelection(selection))).toBe('00000001000b03030280');
    expect(selectedPcrs(selection)).toEqual([{ hash: 'sha256', pcrs: [0, 1, 9, 23] }]);
    expect(() => selectPcrs({ hash: 'sha256', pcrs: [24] })).toThrow(RangeError);
  });
});

describe('keys and signatures leave the TPM formats', () => {
  test('an ECC public becomes the SPKI that OpenSSL writes, with coordinates padded', () => {
    for (const [namedCurve, size] of [
      ['P-256', 32],
      ['P-384', 48],
    ] as const)
      for (let i = 0; i < 4; i++) {
        const { publicKey } = generateKeyPairSync('ec', { namedCurve });
        const spki = publicKey.export({ type: 'spki', format: 'der' });
        const trim = (bytes: Uint8Array): Uint8Array =>
          bytes.subarray(
            Math.max(
              0,
              bytes.findIndex((b) => b !== 0),
            ),
          );
        const unique = {
          kind: 'ecc',
          x: trim(spki.subarray(-2 * size, -size)),
          y: trim(spki.subarray(-size)),
        } as const;
        const parameters = { ...ecPublic.parameters, curve: namedCurve } as typeof ecPublic.parameters;
        const made = publicToSpki({ ...ecPublic, parameters, unique });
        expect(made.ok && toHex(made.value)).toBe(toHex(spki));
      }
  });

  test('an RSA public becomes the SPKI that OpenSSL reads; a wrong size is refused', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const modulus = new Uint8Array(Buffer.from(publicKey.export({ format: 'jwk' }).n ?? '', 'base64url'));
    const made = publicToSpki({ ...rsaPublic, unique: { kind: 'rsa', modulus } });
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    expect(made.ok && toHex(made.value)).toBe(toHex(spki));
    expect(createPublicKey({ key: Buffer.from(spki), type: 'spki', format: 'der' }).equals(publicKey)).toBe(
      true,
    );
    expect(publicToSpki({ ...rsaPublic, unique: { kind: 'rsa', modulus: modulus.subarray(1) } }).ok).toBe(
      false,
    );
  });

  test('an ECDSA signature becomes minimal DER; unusual hashes are refused', () => {
    const made = signatureToScheme({
      kind: 'ecdsa',
      hash: 'sha256',
      r: fromHex('0080ff') ?? new Uint8Array(),
      s: fromHex('0000') ?? new Uint8Array(),
    });
    expect(made.ok && [made.value.scheme, toHex(made.value.bytes)]).toEqual([
      'ecdsa-sha256',
      '300802030080ff020100',
    ]);
    expect(signatureToScheme({ kind: 'rsassa', hash: 'sha1', signature: new Uint8Array(256) }).ok).toBe(
      false,
    );
  });

  test("an object's name is its name algorithm and digest", () => {
    const name = objectName(nodeCrypto, ecPublic);
    expect(name.ok && toHex(name.value)).toMatch(/^000b[0-9a-f]{64}$/);
    expect(objectName(nodeCrypto, { ...ecPublic, nameAlg: 'sha1' }).ok).toBe(false);
  });
});
