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
