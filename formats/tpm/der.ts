import { concat } from '../bytes/bytes.ts';

// The few DER encodings (ITU-T X.690) that a TPM key or signature needs to leave the TPM's own formats.
// Parsing and everything larger is in formats/x509, which this room may not import.

function der(tag: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  const header =
    length < 0x80
      ? Uint8Array.of(tag, length)
      : length < 0x100
        ? Uint8Array.of(tag, 0x81, length)
        : Uint8Array.of(tag, 0x82, length >> 8, length & 0xff);
  return concat(header, content);
}

export function derSequence(content: Uint8Array): Uint8Array {
  return der(0x30, content);
}

/** INTEGER of an unsigned big-endian number of any length: minimal, never negative. */
export function derInteger(magnitude: Uint8Array): Uint8Array {
  const start = magnitude.findIndex((byte) => byte !== 0);
  const digits = start < 0 ? Uint8Array.of(0) : magnitude.subarray(start);
  return der(0x02, (digits[0] ?? 0) >= 0x80 ? concat(Uint8Array.of(0), digits) : digits);
}

/** BIT STRING without unused bits. */
export function derBitString(content: Uint8Array): Uint8Array {
  return der(0x03, concat(Uint8Array.of(0), content));
}

/** Where the digits of an unsigned number begin. */
function digitsAt(magnitude: Uint8Array): number {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start++;
  return start;
}

/** How long an INTEGER's content is: a number without digits, and one whose first bit is set, begins with a zero. */
function integerLength(magnitude: Uint8Array, start: number): number {
  return magnitude.length - start + ((magnitude[start] ?? 0x80) >= 0x80 ? 1 : 0);
}

/** Writes an INTEGER that ends before `end`; what is not written is zero already. Returns where it begins. */
function integerBefore(encoded: Uint8Array, end: number, magnitude: Uint8Array, start: number): number {
  const length = integerLength(magnitude, start);
  for (let from = magnitude.length - 1, to = end - 1; from >= start; from--, to--)
    encoded[to] = magnitude[from] ?? 0;
  encoded[end - length - 1] = length;
  encoded[end - length - 2] = 0x02;
  return end - length - 2;
}

/**
 * Ecdsa-Sig-Value (RFC 3279, 2.2.3) of two numbers of at most 66 bytes: what `derSequence` of two `derInteger` makes,
 * in one piece, because every quote that is verified comes through here.
 */
export function derEcdsaSignature(r: Uint8Array, s: Uint8Array): Uint8Array {
  const [rAt, sAt] = [digitsAt(r), digitsAt(s)];
  const content = 4 + integerLength(r, rAt) + integerLength(s, sAt);
  const header = content < 0x80 ? 2 : 3;
  const encoded = new Uint8Array(header + content);
  encoded[0] = 0x30;
  encoded[1] = content < 0x80 ? content : 0x81;
  integerBefore(encoded, integerBefore(encoded, encoded.length, s, sAt), r, rAt);
  if (header === 3) encoded[2] = content;
  return encoded;
}
