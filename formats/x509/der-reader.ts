import { fromUtf8, toHex } from '../bytes/bytes.ts';
import { Reader } from '../bytes/reader.ts';
import { TAGS } from './der-tags.ts';
import { decodeObjectIdentifier } from './object-identifier.ts';
import { decodeTime } from './time.ts';
import type { X509Code } from './x509-code.ts';

/** The first thing that was wrong, shared by a reader and every reader made from it. */
export interface DerFault {
  readonly code: X509Code;
  readonly message: string;
}

/** `tpm-vendor`: as DER, but a named bit list may end in zero bits, as in the certificates of Infineon's TPMs. They mean nothing. */
export type Dialect = 'der' | 'tpm-vendor';

interface FaultHolder {
  fault?: DerFault;
  readonly dialect?: Dialect;
}

const EMPTY = new Uint8Array(0);

/**
 * Reads DER (X.690, section 10) strictly over the project's cursor: definite minimal lengths, low tag numbers,
 * minimal integers, no stray bits, no bytes left over. The first fault sticks: from then on every read returns
 * an empty value and every reader is `done`, so a parser reads straight through and asks `fault` once.
 */
export class DerReader {
  readonly #cursor: Reader;
  readonly #holder: FaultHolder;

  constructor(bytes: Uint8Array, holder: FaultHolder = {}) {
    this.#cursor = new Reader(bytes);
    this.#holder = holder;
  }

  get fault(): DerFault | undefined {
    return this.#holder.fault;
  }

  /** Nothing left, or a fault. */
  get done(): boolean {
    return this.#cursor.done || this.#holder.fault !== undefined;
  }

  fail(message: string, code: X509Code = 'x509-malformed'): void {
    this.#holder.fault ??= { code, message };
  }

  /** Whether the next element has this tag. */
  next(tag: number): boolean {
    return !this.done && this.#cursor.peek() === tag;
  }

  /** Content of the next element, which must have this tag. */
  content(tag: number, what: string): Uint8Array {
    if (this.fault) return EMPTY;
    if (this.#cursor.peek() !== tag) {
      this.fail(`${what}: tag 0x${tag.toString(16)} is expected`);
      return EMPTY;
    }
    return this.#element(what).content;
  }

  /** The next element whole, tag and length included; with `tag`, it must have it. */
  raw(what: string, tag?: number): Uint8Array {
    if (this.fault) return EMPTY;
    if (tag !== undefined && this.#cursor.peek() !== tag) {
      this.fail(`${what}: tag 0x${tag.toString(16)} is expected`);
      return EMPTY;
    }
    return this.#element(what).whole;
  }

  /** A reader over the content of the next element, which must be constructed and have this tag. */
  inside(tag: number, what: string): DerReader {
    return new DerReader(this.content(tag, what), this.#holder);
  }

  sequence(what: string): DerReader {
    return this.inside(TAGS.sequence, what);
  }

  /** A reader over other bytes (the content of an OCTET STRING, say) that shares this one's fault. */
  over(bytes: Uint8Array): DerReader {
    return new DerReader(bytes, this.#holder);
  }

  /** Nothing may be left. */
  end(what: string): void {
    if (!this.fault && !this.#cursor.done) this.fail(`${what}: bytes left over`, 'x509-not-der');
  }

  boolean(what: string): boolean {
    const content = this.content(TAGS.boolean, what);
    if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff))
      this.fail(`${what}: a BOOLEAN is 00 or ff`, 'x509-not-der');
    return content[0] === 0xff;
  }

  /** Content of an INTEGER: two's complement, minimal, at most `max` bytes. */
  integer(what: string, max = 32): Uint8Array {
    return this.#minimal(this.content(TAGS.integer, what), what, max);
  }

  /** A non-negative INTEGER below 2^31; with `tag`, an ENUMERATED or implicitly tagged one. */
  smallInteger(what: string, tag: number = TAGS.integer): number {
    const content = this.#minimal(this.content(tag, what), what, 4);
    if ((content[0] ?? 0) >= 0x80) this.fail(`${what}: negative`);
    return content.reduce((value, byte) => value * 256 + byte, 0);
  }

  octetString(what: string): Uint8Array {
    return this.content(TAGS.octetString, what);
  }

  /** A BIT STRING of whole bytes. */
  bitString(what: string): Uint8Array {
    const content = this.content(TAGS.bitString, what);
    if (content[0] !== 0) this.fail(`${what}: a BIT STRING of whole bytes is expected`);
    return content.subarray(1);
  }

  /** A named bit list (X.690, 11.2.2: no trailing zero bits): numbers of the bits that are set. */
  namedBits(what: string): number[] {
    const content = this.content(TAGS.bitString, what);
    const unused = content[0] ?? 8;
    const last = content[content.length - 1] ?? 0;
    const empty = content.length === 1;
    const padded = !empty && ((last >> unused) & 1) === 0;
    if (
      unused > 7 ||
      (empty ? unused !== 0 : (last & ((1 << unused) - 1)) !== 0) ||
      (padded && this.#holder.dialect !== 'tpm-vendor')
    )
      this.fail(`${what}: not the shortest list of bits`, 'x509-not-der');
    const bits: number[] = [];
    for (let bit = 0; bit < 8 * (content.length - 1); bit++)
      if (((content[1 + (bit >> 3)] ?? 0) >> (7 - (bit & 7))) & 1) bits.push(bit);
    return bits;
  }

  objectIdentifier(what: string): string {
    const content = this.content(TAGS.objectIdentifier, what);
    if (this.fault) return '';
    const dotted = decodeObjectIdentifier(content);
    if (dotted === undefined) this.fail(`${what}: not an object identifier`, 'x509-not-der');
    return dotted ?? '';
  }

  /** UTF8String of at most `max` bytes. */
  utf8(what: string, max: number): string {
    return this.text(this.content(TAGS.utf8String, what), what, max);
  }

  /** Text of content bytes: well-formed UTF-8 without control characters. */
  text(content: Uint8Array, what: string, max: number): string {
    const text = content.length > max ? undefined : fromUtf8(content);
    if (text === undefined || /\p{Cc}/u.test(text)) this.fail(`${what}: not a text of at most ${max} bytes`);
    return text ?? '';
  }

  /** Time of RFC 5280, 4.1.2.5, in Unix seconds. */
  time(what: string): number {
    const tag = this.next(TAGS.utcTime) ? TAGS.utcTime : TAGS.generalizedTime;
    const seconds = decodeTime(tag, this.content(tag, what));
    if (seconds === undefined) this.fail(`${what}: not a time as RFC 5280 writes it`);
    return seconds ?? 0;
  }

  #minimal(content: Uint8Array, what: string, max: number): Uint8Array {
    const [first = 0, second = 0] = content;
    const padded =
      content.length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
    if (content.length === 0 || padded) this.fail(`${what}: not a minimal INTEGER`, 'x509-not-der');
    else if (content.length > max) this.fail(`${what}: longer than ${max} bytes`);
    return content;
  }

  #element(what: string): { whole: Uint8Array; content: Uint8Array } {
    const start = this.#cursor.offset;
    const tag = this.#cursor.u8();
    const length = this.#length();
    const content = length === undefined ? undefined : this.#cursor.take(length);
    if (tag === undefined || (tag & 0x1f) === 0x1f || content === undefined) {
      this.fail(
        `${what}: tag or length is not DER${tag === undefined ? '' : ` (tag 0x${toHex(Uint8Array.of(tag))})`}`,
        'x509-not-der',
      );
      return { whole: EMPTY, content: EMPTY };
    }
    return { whole: this.#cursor.bytes.subarray(start, this.#cursor.offset), content };
  }

  /** X.690, 10.1: definite, in as few bytes as possible; here at most three. */
  #length(): number | undefined {
    const first = this.#cursor.u8();
    if (first === undefined || first < 0x80) return first;
    if (first === 0x81) return atLeast(0x80, this.#cursor.u8());
    if (first === 0x82) return atLeast(0x100, this.#cursor.u16());
    if (first === 0x83) return atLeast(0x10000, this.#cursor.u24());
    return undefined;
  }
}

function atLeast(minimum: number, value: number | undefined): number | undefined {
  return value === undefined || value < minimum ? undefined : value;
}
