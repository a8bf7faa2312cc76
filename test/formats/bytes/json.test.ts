import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toUtf8 } from '../../../formats/bytes/bytes.ts';
import { canonicalJson } from '../../../formats/bytes/canonical-json.ts';
import { type Json, parseJson, parsePlainJson } from '../../../formats/bytes/json.ts';

const bounds = { maxBytes: 1 << 16, maxDepth: 8 };

function code(input: string | Uint8Array, own = bounds): string {
  const parsed = parseJson(input, own);
  return parsed.ok ? 'ok' : parsed.code;
}

describe('parseJson', () => {
  test('reads every value that JSON.stringify writes', () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    fc.assert(
      fc.property(value, (v) => {
        const text = JSON.stringify(v, null, 1);
        fc.pre(text.isWellFormed() && !text.includes('\\ud'));
        const plain = parseJson(toUtf8(text), bounds);
        fc.pre(plain.ok || plain.message.includes('out of range') === false);
        expect(plain.ok && JSON.parse(JSON.stringify(plain.value))).toEqual(JSON.parse(text));
      }),
    );
  });

  test('refuses what JSON.parse refuses, whatever the text', () => {
    const text = fc.string({
      unit: fc.constantFrom(...'{}[]":,\\u0019eE+-.ntrflsa \t\n\0\x7f'),
      maxLength: 14,
    });
    fc.assert(
      fc.property(text, (t) => {
        let standard: unknown;
        try {
          standard = JSON.parse(t);
        } catch {
          return code(t) === 'json-syntax';
        }
        const ours = parseJson(t, bounds);
        return ours.ok
          ? JSON.stringify(ours.value) === JSON.stringify(standard)
          : ['json-duplicate-member', 'json-too-deep'].includes(ours.code) || ours.message.includes('range');
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['{"a":1,"a":1}', 'json-duplicate-member'],
    ['{"a":1,"\\u0061":2}', 'json-duplicate-member'],
    ['{"a":1,"b":{"c":1,"c":2}}', 'json-duplicate-member'],
    ['[[[[[[[[[1]]]]]]]]]', 'json-too-deep'],
    ['1 2', 'json-syntax'],
    ['', 'json-syntax'],
    ['\ufeff1', 'json-syntax'],
    ['01', 'json-syntax'],
    ['[1,]', 'json-syntax'],
    ['"\\ud800"', 'json-syntax'],
    ['"a\nb"', 'json-syntax'],
    ['1e999', 'json-syntax'],
    ['9007199254740993', 'json-syntax'],
    ['"\ud800"', 'json-not-utf8'],
    ['"\x7f"', 'ok'],
    ['"\\ud83d\\ude00"', 'ok'],
    ['{"__proto__":1,"constructor":2}', 'ok'],
  ])('%j ends in %s', (text, expected) => {
    expect(code(text)).toBe(expected);
  });

  test('bounds and bytes', () => {
    expect(code('[1]', { maxBytes: 2, maxDepth: 1 })).toBe('json-too-large');
    expect(code('[1]', { maxBytes: 3, maxDepth: 1 })).toBe('ok');
    expect(code(Uint8Array.of(0x22, 0xff, 0x22))).toBe('json-not-utf8');
    expect(code('['.repeat(60000))).toBe('json-too-deep');
  });
});

describe('canonicalJson', () => {
  test('the example of RFC 8785, 3.2.2', () => {
    const value: Json = {
      numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000f\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    };
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
    expect(() => canonicalJson(Number.NaN)).toThrow();
    expect(() => canonicalJson('\ud800')).toThrow();
  });
});

describe('parsePlainJson', () => {
  /** Texts that JSON.stringify wrote, and small changes of them. */
  const edited = fc
    .tuple(
      fc.jsonValue({ maxDepth: 5 }),
      fc.nat(),
      fc.nat(2),
      fc.constantFrom('', ' ', '"', '1', ',', '{}', '"a":1,', '\\n', 'e5'),
    )
    .map(([value, at, remove, insert]) => {
      const text = JSON.stringify(value);
      const where = at % (text.length + 1);
      return text.slice(0, where) + insert + text.slice(where + remove);
    });
  const hostile = fc.constantFrom(
    '{"a":1,"a":1}',
    '{"__proto__":1}',
    '{"__proto__":1,"__proto__":1}',
    '9007199254740993',
    '9007199254740992',
    '-0',
    '1e400',
    '[1e400]',
    '{"a":"","a":{}}',
    '{"a":1,"b":{"a":1},"b":1}',
    '1.0',
    '{ "a" : [ 1 , 2 ] }',
    '"\\ud800"',
    '[[[[[[[[[1]]]]]]]]]',
    `${'['.repeat(9000)}${']'.repeat(9000)}`,
    '{"b":1,"1":2}',
    '\ufeff1',
    '{"toJSON":1}',
  );

  test('reads nothing that the strict parser refuses, and nothing differently', () => {
    let read = 0;
    fc.assert(
      fc.property(fc.oneof({ arbitrary: edited, weight: 9 }, hostile), fc.nat(8), (text, maxDepth) => {
        const own = { maxBytes: 1 << 16, maxDepth };
        const plain = parsePlainJson(toUtf8(text), own);
        if (plain === undefined) return;
        read++;
        const strict = parseJson(text, own);
        expect(strict.ok && JSON.stringify(strict.value)).toBe(JSON.stringify(plain));
      }),
      { numRuns: 3000 },
    );
    expect(read).toBeGreaterThan(100);
  });

  test('reads what our encoders write, and leaves bytes that are no UTF-8 to the strict parser', () => {
    expect(parsePlainJson(toUtf8('{"a":[1,"ü"],"b":{}}'), bounds)).toEqual({ a: [1, 'ü'], b: {} });
    expect(parsePlainJson(Uint8Array.of(0x22, 0xff, 0x22), bounds)).toBeUndefined();
  });
});
