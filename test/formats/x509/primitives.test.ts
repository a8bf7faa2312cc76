import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex, toUtf8 } from '../../../formats/bytes/bytes.ts';
import { DerReader, type Dialect } from '../../../formats/x509/der-reader.ts';
import { TAGS } from '../../../formats/x509/der-tags.ts';
import { compareBytes, element, namedBits, setOf, smallInteger } from '../../../formats/x509/der-writer.ts';
import { decodeObjectIdentifier, encodeObjectIdentifier } from '../../../formats/x509/object-identifier.ts';
import { decodePem, encodePem } from '../../../formats/x509/pem.ts';
import { decodeTime, encodeTime } from '../../../formats/x509/time.ts';
import { OID_ENCLAVE_BINDING } from '../../../names/oids.ts';

describe('object identifiers', () => {
  const arcs = fc.array(fc.bigInt({ min: 0n, max: 2n ** 128n }), { minLength: 1, maxLength: 3 });
  test('of any arc go there and back', () => {
    fc.assert(
      fc.property(fc.constantFrom('0.39', '1.0', '2.5', '2.25', '2.999'), arcs, (root, rest) => {
        const dotted = [root, ...rest].join('.');
        expect(decodeObjectIdentifier(encodeObjectIdentifier(dotted))).toBe(dotted);
      }),
    );
    expect(toHex(encodeObjectIdentifier('2.999.3'))).toBe('883703');
    expect(decodeObjectIdentifier(encodeObjectIdentifier(OID_ENCLAVE_BINDING))).toBe(OID_ENCLAVE_BINDING);
  });

  test('what parses re-encodes to the same bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 66 }), (content) => {
        const dotted = decodeObjectIdentifier(content);
        if (dotted !== undefined) expect(encodeObjectIdentifier(dotted)).toEqual(content);
      }),
    );
    expect(decodeObjectIdentifier(Uint8Array.of(0x2a, 0x80, 0x01))).toBeUndefined();
    expect(() => encodeObjectIdentifier('3.1')).toThrow(RangeError);
  });
});

describe('named bits', () => {
  const read = (hex: string, dialect: Dialect): readonly number[] | undefined => {
    const reader = new DerReader(Buffer.from(hex, 'hex'), { dialect });
    const bits = reader.namedBits('bits');
    return reader.fault === undefined ? bits : undefined;
  };

  test('trailing zeros are bits to TPM vendors alone, and mean nothing', () => {
    expect(read('03020106', 'der')).toEqual([5, 6]);
    expect(read('03020106', 'tpm-vendor')).toEqual([5, 6]);
    for (const [padded, bits] of [
      ['03020006', [5, 6]],
      ['0303000600', [5, 6]],
      ['03020500', []],
    ] as const) {
      expect(read(padded, 'der'), padded).toBeUndefined();
      expect(read(padded, 'tpm-vendor'), padded).toEqual(bits);
    }
  });

  test.each(['03020207', '03020900', '030101', '0300'])('%s is no list in either', (hex) => {
    for (const dialect of ['der', 'tpm-vendor'] as const) expect(read(hex, dialect)).toBeUndefined();
  });
});

describe('times', () => {
  test('go there and back, in one form each', () => {
    fc.assert(
      fc.property(fc.integer({ min: -631_152_000, max: 253_402_300_799 }), (seconds) => {
        const encoded = encodeTime(seconds);
        expect(encoded && decodeTime(encoded.tag, encoded.content)).toBe(seconds);
      }),
    );
    expect(encodeTime(2_524_608_000 - 1)?.tag).toBe(TAGS.utcTime);
    expect(encodeTime(2_524_608_000)?.tag).toBe(TAGS.generalizedTime);
  });

  test.each(['261301000000Z', '260230000000Z', '2602280000Z', '260228000000+0000', '260228240000Z'])(
    '%s is none',
    (text) => {
      expect(decodeTime(TAGS.utcTime, toUtf8(text))).toBeUndefined();
    },
  );
  test('GeneralizedTime before 2050 and with fractions is none', () => {
    expect(decodeTime(TAGS.generalizedTime, toUtf8('20260228000000Z'))).toBeUndefined();
    expect(decodeTime(TAGS.generalizedTime, toUtf8('20600228000000.5Z'))).toBeUndefined();
  });
});

describe('DER', () => {
  const fault = (bytes: number[], read: (reader: DerReader) => unknown) => {
    const reader = new DerReader(Uint8Array.from(bytes));
    read(reader);
    reader.end('test');
    return reader.fault?.code;
  };
  test.each<[string, number[], (reader: DerReader) => unknown]>([
    ['BOOLEAN 01', [1, 1, 1], (r) => r.boolean('b')],
    ['padded INTEGER', [2, 2, 0, 1], (r) => r.integer('i')],
    ['padded negative INTEGER', [2, 2, 0xff, 0x80], (r) => r.integer('i')],
    ['empty INTEGER', [2, 0], (r) => r.integer('i')],
    ['long form for a short length', [4, 0x81, 1, 0], (r) => r.octetString('o')],
    ['indefinite length', [4, 0x80, 0, 0], (r) => r.octetString('o')],
    ['length beyond the end', [4, 2, 0], (r) => r.octetString('o')],
    ['high tag number', [0x1f, 1, 0], (r) => r.raw('x')],
    ['trailing zero bits', [3, 2, 0, 0b1000_0000], (r) => r.namedBits('n')],
    ['left-over bytes', [5, 0, 0], (r) => r.raw('x')],
  ])('refuses %s', (_what, bytes, read) => {
    expect(fault(bytes, read)).toBe('x509-not-der');
  });

  test('the first fault sticks and ends every loop', () => {
    const reader = new DerReader(Uint8Array.of(0x30, 3, 5, 0, 0));
    const inside = reader.sequence('s');
    inside.boolean('b');
    inside.fail('later');
    expect([inside.done, reader.done, inside.raw('x').length, reader.fault?.message]).toEqual([
      true,
      true,
      0,
      'b: tag 0x1 is expected',
    ]);
  });

  test('integers, bit lists and sets', () => {
    for (const value of [0, 1, 127, 128, 65_535, 2 ** 31 - 1])
      expect(new DerReader(smallInteger(value)).smallInteger('i')).toBe(value);
    for (const bits of [[], [0], [5, 6], [0, 8]])
      expect(new DerReader(namedBits(bits)).namedBits('b')).toEqual(bits);
    const [a, b] = [element(4, Uint8Array.of(1)), element(4, Uint8Array.of(2, 0))];
    expect(setOf(b, a)).toEqual(setOf(a, b));
    expect(compareBytes(a, b)).toBeLessThan(0);
  });
});

describe('PEM', () => {
  test('goes there and back', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { minLength: 1, maxLength: 3 }),
        (blocks) => {
          const text = blocks.map((der) => encodePem('CERTIFICATE', der)).join('\n');
          expect(decodePem('CERTIFICATE', text)).toEqual({ ok: true, value: blocks });
          expect(decodePem('CERTIFICATE', text.replaceAll('\n', '\r\n')).ok).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('refuses other labels, text around blocks, and nothing', () => {
    const text = encodePem('CERTIFICATE', Uint8Array.of(1, 2, 3));
    for (const bad of [
      '',
      `subject=x\n${text}`,
      text.slice(0, -20),
      text.replace('AQID', 'AQID='),
      text.replace('AQID', 'AQJ='),
    ])
      expect(decodePem('CERTIFICATE', bad).ok, bad).toBe(false);
    expect(decodePem('PUBLIC KEY', text).ok).toBe(false);
  });
});
