import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, fromUtf8, toUtf8 } from '../../../formats/bytes/bytes.ts';
import { pathLength } from '../../../formats/evidence/batch.ts';
import {
  type Bundle,
  bundleFromJson,
  bundleToJson,
  decodeBundle,
  encodeBundle,
} from '../../../formats/evidence/bundle.ts';
import { fixture } from '../../support/evidence.ts';

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const visible = (maxLength: number) => fc.stringMatching(/^[\x21-\x7e]*$/, { maxLength });
const pcrValues = fc.uniqueArray(fc.nat(23), { minLength: 1, maxLength: 24 }).map((indices) => ({
  hashAlgorithm: 0x000b,
  values: indices.sort((a, b) => a - b).map((index) => ({ index, digest: new Uint8Array(32).fill(index) })),
}));
const bundles: fc.Arbitrary<Bundle> = fc
  .tuple(fc.integer({ min: 1, max: 65_536 }), fc.nat())
  .chain(([leafCount, pick]) => {
    const leafIndex = pick % leafCount;
    const length = pathLength(leafIndex, leafCount);
    return fc.record({
      certificateChain: fc.array(bytes(1, 60), { maxLength: 4 }),
      statement: bytes(1, 80),
      blinder: bytes(32, 32),
      leafIndex: fc.constant(leafIndex),
      leafCount: fc.constant(leafCount),
      path: fc.array(bytes(32, 32), { minLength: length, maxLength: length }),
      attest: bytes(1, 60),
      signature: bytes(1, 60),
      pcrValues,
      eventLog: bytes(0, 60),
      attestationKeyPublic: bytes(1, 60),
      attestationKeyCertificateChain: fc.array(bytes(1, 60), { minLength: 1, maxLength: 4 }),
      endpoint: visible(261),
      serverName: visible(253),
    });
  });

const codeOf = (result: { ok: boolean; code?: string }) => (result.ok ? undefined : result.code);

describe('bundles', () => {
  test('protobuf and JSON go there and back, to the same bytes', () => {
    fc.assert(
      fc.property(bundles, (bundle) => {
        const encoded = encodeBundle(bundle);
        const decoded = decodeBundle(encoded);
        expect(decoded).toEqual({ ok: true, value: bundle });
        if (decoded.ok) expect(encodeBundle(decoded.value)).toEqual(encoded);
        const json = bundleToJson(bundle);
        const read = bundleFromJson(json);
        expect(read).toEqual({ ok: true, value: bundle });
        if (read.ok) expect(bundleToJson(read.value)).toBe(json);
      }),
      { numRuns: 60 },
    );
  });

  test('any bytes either refuse or re-encode to themselves', () => {
    const good = encodeBundle(fixture().bundle);
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(2), (at, value, remove) => {
        const mutated = Uint8Array.from([...good.slice(0, at), value, ...good.slice(at + remove)]);
        const decoded = decodeBundle(mutated);
        if (decoded.ok) expect(encodeBundle(decoded.value)).toEqual(mutated);
      }),
      { numRuns: 300 },
    );
  });
});

describe('protobuf is read strictly', () => {
  const { bundle } = fixture();
  const good = encodeBundle(bundle);
  const tail = (...extra: number[]) => codeOf(decodeBundle(concat(good, Uint8Array.from(extra))));

  test.each<[string, number[]]>([
    ['an unknown field', [0x7a, 1, 0]],
    ['a field number of zero', [0x02, 0]],
    ['a singular field twice', [0x72, 1, 0x61]],
    ['fields out of order', [0x0a, 1, 0]],
    ['a group', [0x7b, 0x7c]],
    ['a field that is cut off', [0x72, 9]],
    ['half a key', [0x80]],
  ])('%s is refused', (_what, extra) => {
    expect(tail(...extra)).toBe('evidence-malformed');
  });

  test('defaults that are written out, long varints and wrong wire types are refused', () => {
    const { eventLog: _, ...rest } = bundle;
    const small = encodeBundle({ ...rest, eventLog: new Uint8Array(0), endpoint: '', serverName: '' });
    expect(codeOf(decodeBundle(concat(small, Uint8Array.of(0x6a, 0))))).toBe('evidence-malformed');
    expect(codeOf(decodeBundle(concat(small, Uint8Array.of(0x6a, 0x81, 0, 0x61))))).toBe(
      'evidence-malformed',
    );
    expect(codeOf(decodeBundle(concat(small, Uint8Array.of(0x68, 1))))).toBe('evidence-malformed');
    expect(codeOf(decodeBundle(concat(small, Uint8Array.of(0x6a, 1, 0xff))))).toBe('evidence-malformed');
    expect(decodeBundle(concat(small, Uint8Array.of(0x6a, 1, 0x61))).ok).toBe(true);
  });

  test.each<[string, Partial<Bundle>]>([
    ['a blinder of 31 bytes', { blinder: new Uint8Array(31) }],
    ['no statement', { statement: new Uint8Array(0) }],
    ['no leaves', { leafCount: 0 }],
    ['no PCR values', { pcrValues: undefined }],
    ['a SHA-1 bank', { pcrValues: { hashAlgorithm: 4, values: [{ index: 0, digest: new Uint8Array(20) }] } }],
    [
      'PCRs out of order',
      {
        pcrValues: {
          hashAlgorithm: 11,
          values: [1, 0].map((index) => ({ index, digest: new Uint8Array(32) })),
        },
      },
    ],
    ['no attestation key certificate', { attestationKeyCertificateChain: [] }],
    ['a space in the endpoint', { endpoint: 'a b' }],
  ])('%s is refused', (_what, part) => {
    const changed = { ...bundle, ...part };
    expect(codeOf(decodeBundle(encodeBundle(changed)))).toBe('evidence-out-of-bounds');
    expect(bundleFromJson(bundleToJson(changed)).ok).toBe(false);
  });

  test('over a bound is refused by size, before it is decoded', () => {
    expect(codeOf(decodeBundle(new Uint8Array(262_145)))).toBe('evidence-too-large');
    expect(codeOf(decodeBundle(encodeBundle({ ...bundle, statement: new Uint8Array(16_385) })))).toBe(
      'evidence-malformed',
    );
    const five = Array.from({ length: 5 }, () => new Uint8Array(10));
    expect(codeOf(decodeBundle(encodeBundle({ ...bundle, certificateChain: five })))).toBe(
      'evidence-malformed',
    );
  });
});

describe('JSON is read strictly', () => {
  const json = bundleToJson(fixture().bundle);
  const edited = (from: string | RegExp, to: string) => {
    const text = json.replace(from, to);
    expect(text).not.toBe(json);
    return codeOf(bundleFromJson(text));
  };

  test('member names, duplicates and base64 have one form each', () => {
    expect(codeOf(bundleFromJson(toUtf8(json)))).toBeUndefined();
    expect(edited('"blinder":', '"blinder":"","blinder":')).toBe('evidence-duplicate-member');
    expect(edited('"leafIndex":', '"leaf_index":')).toBe('evidence-out-of-bounds');
    expect(edited('"leafIndex":1', '"leafIndex":"1"')).toBe('evidence-out-of-bounds');
    expect(edited('"leafIndex":1', '"leafIndex":1,"more":1')).toBe('evidence-out-of-bounds');
    expect(edited(/"blinder":"(.{42})[^"]+"/, '"blinder":"$1"')).toBe('evidence-out-of-bounds');
    expect(edited(/"attest":"(.)/, '"attest":" $1')).toBe('evidence-out-of-bounds');
    expect(edited(/\}$/, '},')).toBe('evidence-malformed');
    expect(fromUtf8(toUtf8(json))).toBe(json);
  });
});
