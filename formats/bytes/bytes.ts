const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** For bytes that are ASCII for certain: three times as fast as looping over a string. */
const ascii = new TextDecoder();

/** Joins byte strings into a new one. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/**
 * Whether two byte strings are the same. The time depends on the lengths only, never on where they differ,
 * so it also serves for secrets.
 */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/**
 * The same for public bytes: stops at the first difference, and compares eight bytes at a time. Certificates that come
 * again are found by all their bytes, which is a good part of what a verification costs.
 */
export function equalPublic(a: Uint8Array, b: Uint8Array): boolean {
  const { length } = a;
  if (b.length !== length) return false;
  let at = 0;
  // Below that, the two views cost more than they save.
  if (length >= 64) {
    const [left, right] = [
      new DataView(a.buffer, a.byteOffset, length),
      new DataView(b.buffer, b.byteOffset, length),
    ];
    for (const end = length - 7; at < end; at += 8)
      if (left.getBigInt64(at) !== right.getBigInt64(at)) return false;
  }
  for (; at < length; at++) if (a[at] !== b[at]) return false;
  return true;
}

const HEX_DIGITS = encoder.encode('0123456789abcdef');

/** Where short texts are made: memory that the decoder can read without moving it first. */
const HEX_TEXT = new Uint8Array(128);

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  const { length } = bytes;
  const digits = length <= 64 ? HEX_TEXT : new Uint8Array(2 * length);
  for (let i = 0; i < length; i++) {
    const byte = bytes[i] ?? 0;
    digits[2 * i] = HEX_DIGITS[byte >> 4] ?? 0;
    digits[2 * i + 1] = HEX_DIGITS[byte & 15] ?? 0;
  }
  return ascii.decode(digits.subarray(0, 2 * length));
}

/** Reads lower-case hexadecimal; undefined for anything else (upper case and odd lengths included). */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** UTF-8 of a text. */
export function toUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of UTF-8 bytes; undefined when they are not well-formed. A byte order mark stays in the text. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Whether two lists hold the same byte strings in the same order. Not for secrets. */
export function equalLists(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((bytes, at) => equal(bytes, b[at] ?? new Uint8Array(0)));
}
