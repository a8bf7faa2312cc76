import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equal, fromHex, toHex, toUtf8 } from '../../../formats/bytes/bytes.ts';
import { type Attest, decodeAttest, encodeAttest } from '../../../formats/tpm/attest.ts';
import { COMMANDS } from '../../../formats/tpm/commands.ts';
import { decode } from '../../../formats/tpm/decode.ts';
import { encode } from '../../../formats/tpm/encode.ts';
import { encodePcrSelection, selectedPcrs, selectPcrs } from '../../../formats/tpm/pcr-selection.ts';
import { decodePublic, encodePublic, objectName, publicToSpki } from '../../../formats/tpm/public.ts';
import {
  decodeSignature,
  encodeSignature,
  type Signature,
  signatureToScheme,
} from '../../../formats/tpm/signature.ts';
import * as structures from '../../../formats/tpm/structures.ts';
import type { Arms, Row, Shape, Wire } from '../../../formats/tpm/wire.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import { KINDS } from '../../support/tables/key-kinds.ts';
import { anyValue } from './arbitrary.ts';
import { attests, ecPublic, rsaPublic } from './samples.ts';

const signatures: readonly Signature[] = [
  { kind: 'ecdsa', hash: 'sha256', r: new Uint8Array(32).fill(0xff), s: new Uint8Array(31).fill(1) },
  { kind: 'rsassa', hash: 'sha384', signature: new Uint8Array(256) },
  { kind: 'rsapss', hash: 'sha256', signature: new Uint8Array(256) },
];

const rows: readonly (readonly [string, Row<unknown>])[] = Object.entries(structures).flatMap(
  ([name, each]) => ('shape' in each ? [[name, each as Row<unknown>] as const] : []),
);

/** Structures that are inside others as arms of a union. */
function armsOf(shape: Shape): Arms[string][] {
  switch (shape.kind) {
    case 'sized':
      return armsOf(shape.inner);
    case 'list':
      return armsOf(shape.item);
    case 'structure':
      return Object.values(shape.fields).flatMap((field) => armsOf(field.shape));
    case 'union':
    case 'arm':
      return Object.values(shape.arms).flatMap((each) => [
        each,
        ...Object.values(each.fields).flatMap((field) => armsOf(field.shape)),
      ]);
    default:
      return [];
  }
}

describe('the tables', () => {
  test('each row names its type and its section of part 2, arms too', () => {
    const SECTION = /^(8|9|1[0-5])(\.[1-9][0-9]*){1,3}$/;
    for (const [, { name, section, shape }] of rows) {
      expect(name).toMatch(/^TPM([2AILST]|2B|)[A-Z]*_[A-Z0-9_]+$/);
      expect(section, name).toMatch(SECTION);
      for (const each of armsOf(shape)) expect(each.section, name).toMatch(SECTION);
    }
    expect(new Set(rows.map(([, { name }]) => name)).size).toBe(rows.length);
    expect(rows.length).toBeGreaterThan(35);
    for (const { section } of COMMANDS) expect(section).toMatch(/^[1-9][0-9]?\.[1-9][0-9]?$/);
  });
});

/** What is accepted re-encodes to the same bytes; what is not is refused with a reason. */
function isTotal(row: Wire<unknown>, bytes: Uint8Array): boolean {
  const decoded = decode(row, bytes);
  return decoded.ok ? equal(encode(row, decoded.value), bytes) : decoded.message !== '';
}

const parameters: readonly (readonly [string, Wire<unknown>])[] = COMMANDS.flatMap((command) => [
  [`${command.name} parameters`, { shape: { kind: 'structure', fields: command.parameters } }],
  [`${command.name} response`, { shape: { kind: 'structure', fields: command.response } }],
]);

describe.each([...rows, ...parameters])('%s', (_, row) => {
  const anyBytes = anyValue(row.shape).map((value) => ({ value, bytes: encode(row, value) }));

  test('any value is read back; no length but its own is accepted; a change is refused or kept', () => {
    const changes = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat());
    fc.assert(
      fc.property(anyBytes, changes, ({ value, bytes }, [at, change, cut]) => {
        expect(decode(row, bytes)).toEqual({ ok: true, value });
        expect(decode(row, Uint8Array.of(...bytes, 0)).ok).toBe(false);
        if (bytes.length === 0) return;
        expect(decode(row, bytes.subarray(0, cut % bytes.length)).ok).toBe(false);
        const changed = bytes.slice();
        changed[at % bytes.length] = (changed[at % bytes.length] ?? 0) ^ change;
        expect(isTotal(row, changed)).toBe(true);
      }),
      { numRuns: 60 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => isTotal(row, bytes)));
  });
});

const encoded: readonly (readonly [string, Wire<unknown>, Uint8Array])[] = [
  ...attests.map(
    (each) => [`TPMS_ATTEST ${each.attested.kind}`, structures.ATTEST, encodeAttest(each)] as const,
  ),
  ...[ecPublic, rsaPublic].map(
    (each) => [`TPMT_PUBLIC ${each.parameters.kind}`, structures.PUBLIC, encodePublic(each)] as const,
  ),
  ...signatures.map(
    (each) => [`TPMT_SIGNATURE ${each.kind}`, structures.SIGNATURE, encodeSignature(each)] as const,
  ),
];

describe('every single-bit change and every length', () => {
  test.each(encoded)('of %s is refused or kept', (_, row, bytes) => {
    for (let bit = 0; bit < 8 * bytes.length; bit += 1) {
      const changed = bytes.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if (!isTotal(row, changed)) expect.fail(`bit ${bit}`);
    }
    for (let length = 0; length < bytes.length; length += 1)
      if (decode(row, bytes.subarray(0, length)).ok) expect.fail(`length ${length}`);
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
  test.each(KINDS.map((kind) => [kind.name, kind] as const))('of kind %s', (_, kind) => {
    const key = kind.key('ak');
    const area = { ...ecPublic, parameters: key.parameters, unique: key.unique };
    expect(decodePublic(encodePublic(area))).toEqual({ ok: true, value: area });
    expect(publicToSpki(area)).toEqual({ ok: true, value: key.spki });
    const message = toUtf8('TPMS_ATTEST');
    const signature = decodeSignature(encodeSignature(key.tpmSignature(message)));
    if (!signature.ok) throw new Error(signature.message);
    expect(signature.value).toEqual(key.tpmSignature(message));
    const made = signatureToScheme(signature.value);
    if (!made.ok) throw new Error(made.message);
    expect(nodeCrypto.verifySignature(key.spki, made.value.scheme, message, made.value.bytes)).toBe(true);
  });

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
