import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromBase64, fromBase64url, toBase64, toBase64url } from '../../../formats/bytes/base64.ts';
import {
  concat,
  equal,
  equalPublic,
  fromHex,
  fromUtf8,
  toHex,
  toUtf8,
} from '../../../formats/bytes/bytes.ts';
import { Reader } from '../../../formats/bytes/reader.ts';
import { Writer } from '../../../formats/bytes/writer.ts';

const bytes = fc.uint8Array({ maxLength: 70 });

describe('bytes', () => {
  test('concat, equal, hex and UTF-8', () => {
    expect(concat(Uint8Array.of(1), new Uint8Array(), Uint8Array.of(2, 3))).toEqual(Uint8Array.of(1, 2, 3));
    expect(equal(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
    expect(equal(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
    expect(equal(Uint8Array.of(1), Uint8Array.of(1, 0))).toBe(false);
  });

  test('of public bytes: every byte counts, wherever they lie in memory', () => {
    for (const length of [0, 1, 63, 64, 65, 71, 72, 100]) {
      const one = new Uint8Array(length + 3).subarray(3).fill(7);
      const other = concat(one);
      expect(equalPublic(one, other)).toBe(true);
      expect(equalPublic(one, concat(one, Uint8Array.of(0)))).toBe(false);
      for (let at = 0; at < length; at++) expect(equalPublic(one, other.with(at, 8))).toBe(false);
    }
    expect([fromHex('0'), fromHex('0A'), fromHex('zz'), fromHex(' 00')]).toEqual(Array(4).fill(undefined));
    expect(fromHex('00ff')).toEqual(Uint8Array.of(0, 255));
    expect(fromUtf8(Uint8Array.of(0xc0, 0x80))).toBeUndefined();
    fc.assert(fc.property(bytes, (b) => equal(fromHex(toHex(b)) ?? Uint8Array.of(9), b)));
  });
});

describe('base64', () => {
  test('writes what Buffer writes and reads it back', () => {
    fc.assert(
      fc.property(bytes, (b) => {
        expect(toBase64(b)).toBe(Buffer.from(b).toString('base64'));
        expect(toBase64url(b)).toBe(Buffer.from(b).toString('base64url'));
        expect(fromBase64(toBase64(b))).toEqual(b);
        expect(fromBase64url(toBase64url(b))).toEqual(b);
      }),
    );
  });

  test('reads only the one encoding of some bytes', () => {
    for (const text of [
      'A',
      'AA',
      'AA=',
      'AB==',
      'AAB=',
      'AA==\n',
      'A A=',
      '-_==',
      '====',
      'AA==AAAA',
      'AAA',
      'é===',
    ])
      expect(fromBase64(text), text).toBeUndefined();
    for (const text of ['A', 'AB', 'AAB', 'AA==', '+/', 'AAAAA'])
      expect(fromBase64url(text), text).toBeUndefined();
    const text = fc.string({ maxLength: 12 });
    fc.assert(fc.property(text, (t) => [undefined, t].includes(reencoded(t, fromBase64, toBase64))));
    fc.assert(fc.property(text, (t) => [undefined, t].includes(reencoded(t, fromBase64url, toBase64url))));
  });
});

function reencoded(
  text: string,
  read: (text: string) => Uint8Array | undefined,
  write: (bytes: Uint8Array) => string,
): string | undefined {
  const value = read(text);
  return value && write(value);
}

describe('reader and writer', () => {
  test('read back what was written', () => {
    const written = new Writer()
      .u8(255)
      .u16(0x1234)
      .u24(0x56789a)
      .u32(0xfffffffe)
      .u64(2n ** 64n - 2n)
      .sized16(toUtf8('ab'))
      .sized32(new Uint8Array(300))
      .bytes(Uint8Array.of(7));
    const reader = new Reader(written.finish());
    expect([reader.u8(), reader.u16(), reader.u24(), reader.u32(), reader.u64()]).toEqual([
      255,
      0x1234,
      0x56789a,
      0xfffffffe,
      2n ** 64n - 2n,
    ]);
    expect(reader.sized16()).toEqual(toUtf8('ab'));
    expect(reader.sized32(300)).toHaveLength(300);
    expect([reader.peek(), reader.remaining, reader.done]).toEqual([7, 1, false]);
    expect([reader.take(1), reader.done, reader.peek()]).toEqual([Uint8Array.of(7), true, undefined]);
  });

  test('nothing is read past the end, over a bound, or moved by a refusal', () => {
    const reader = new Reader(Uint8Array.of(0, 4, 1, 2, 3));
    expect([
      reader.sized16(),
      reader.sized32(9),
      reader.u64(),
      reader.take(6),
      reader.take(-1),
      reader.take(0.5),
    ]).toEqual(Array(6).fill(undefined));
    expect(reader.offset).toBe(0);
    expect(new Reader(Uint8Array.of(0, 2, 1, 2)).sized16(1)).toBeUndefined();
  });

  test('a value that does not fit is a defect', () => {
    for (const write of [
      () => new Writer().u8(256),
      () => new Writer().u16(-1),
      () => new Writer().u32(2 ** 32),
      () => new Writer().u8(0.5),
      () => new Writer().u64(2n ** 64n),
      () => new Writer().sized16(new Uint8Array(65536)),
    ])
      expect(write).toThrow(RangeError);
  });
});
