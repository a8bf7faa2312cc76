/** Identifier octets (X.690, 8.1.2; X.680, 8.6). */
export const TAGS = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Context-specific, primitive. */
export function contextTag(number: number): number {
  return 0x80 | number;
}

/** Context-specific, constructed. */
export function constructedTag(number: number): number {
  return 0xa0 | number;
}
