import { concat, toUtf8 } from '../bytes/bytes.ts';
import { Writer } from '../bytes/writer.ts';
import { TAGS } from './der-tags.ts';
import { encodeObjectIdentifier } from './object-identifier.ts';
import { encodeTime } from './time.ts';

/** One element: tag, minimal length, contents joined. Its size is known before, so it is written in place. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of contents) length += part.length;
  if (length > 0xffffff) throw new RangeError('an element of more than 16 MiB');
  const extra = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
  const written = new Uint8Array(2 + extra + length);
  written[0] = tag;
  written[1] = extra === 0 ? length : 0x80 | extra;
  for (let i = 0; i < extra; i++) written[2 + i] = length >>> (8 * (extra - 1 - i));
  let at = 2 + extra;
  for (const part of contents) {
    written.set(part, at);
    at += part.length;
  }
  return written;
}

export function sequence(...contents: readonly Uint8Array[]): Uint8Array {
  return element(TAGS.sequence, ...contents);
}

/** SET OF: elements in ascending order of their encodings (X.690, 11.6). */
export function setOf(...elements: readonly Uint8Array[]): Uint8Array {
  return element(TAGS.set, ...[...elements].sort(compareBytes));
}

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** DEFAULT FALSE is never written: callers leave out what is false. */
export function booleanTrue(): Uint8Array {
  return element(TAGS.boolean, Uint8Array.of(0xff));
}

/** INTEGER from an unsigned big-endian magnitude of any length; leading zeros are dropped or added as DER wants. */
export function unsignedInteger(magnitude: Uint8Array): Uint8Array {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start++;
  const digits = magnitude.length === 0 ? Uint8Array.of(0) : magnitude.subarray(start);
  return element(TAGS.integer, (digits[0] ?? 0) >= 0x80 ? concat(Uint8Array.of(0), digits) : digits);
}

/** A non-negative INTEGER below 2^31; with `tag`, an ENUMERATED or implicitly tagged one. */
export function smallInteger(value: number, tag: number = TAGS.integer): Uint8Array {
  const digits = unsignedInteger(new Writer().u32(value).finish());
  return element(tag, digits.subarray(2));
}

export function octetString(bytes: Uint8Array): Uint8Array {
  return element(TAGS.octetString, bytes);
}

/** A BIT STRING of whole bytes. */
export function bitString(bytes: Uint8Array): Uint8Array {
  return element(TAGS.bitString, Uint8Array.of(0), bytes);
}

/** A named bit list without trailing zero bits (X.690, 11.2.2). */
export function namedBits(bits: readonly number[]): Uint8Array {
  const highest = Math.max(-1, ...bits);
  const bytes = new Uint8Array((highest >> 3) + 1);
  for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return element(TAGS.bitString, Uint8Array.of(highest < 0 ? 0 : 7 - (highest & 7)), bytes);
}

/** Encodings of the identifiers written so far. They are constants of the callers, so there are few; the bound is for a caller that is wrong. */
const IDENTIFIERS = new Map<string, Uint8Array>();
const MAX_IDENTIFIERS = 256;

export function objectIdentifier(dotted: string): Uint8Array {
  const known = IDENTIFIERS.get(dotted);
  if (known !== undefined) return known;
  const encoded = element(TAGS.objectIdentifier, encodeObjectIdentifier(dotted));
  if (IDENTIFIERS.size < MAX_IDENTIFIERS) IDENTIFIERS.set(dotted, encoded);
  return encoded;
}

export function utf8String(text: string): Uint8Array {
  return element(TAGS.utf8String, toUtf8(text));
}

/** @throws RangeError for a time that RFC 5280 cannot write (before 1950, after 9999, or with a fraction) */
export function time(seconds: number): Uint8Array {
  const encoded = encodeTime(seconds);
  if (!encoded) throw new RangeError(`${seconds} is no time of a certificate`);
  return element(encoded.tag, encoded.content);
}
