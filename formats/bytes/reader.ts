/**
 * A cursor over untrusted bytes. Every read is bounded: it returns undefined and moves nothing when the input
 * is too short, so a parser cannot run past the end or truncate silently. Integers are big-endian.
 */
export class Reader {
  readonly bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#at;
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.bytes.length - this.#at;
  }

  /** Whether nothing is left over. */
  get done(): boolean {
    return this.remaining === 0;
  }

  /** A view (not a copy) of the next `length` bytes. */
  take(length: number): Uint8Array | undefined {
    if (!Number.isInteger(length) || length < 0 || length > this.remaining) return undefined;
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }

  /** The next byte, without moving. */
  peek(): number | undefined {
    return this.bytes[this.#at];
  }

  u8(): number | undefined {
    return this.#uint(1);
  }

  u16(): number | undefined {
    return this.#uint(2);
  }

  u24(): number | undefined {
    return this.#uint(3);
  }

  u32(): number | undefined {
    return this.#uint(4);
  }

  u64(): bigint | undefined {
    if (this.remaining < 8) return undefined;
    const high = this.#uint(4) ?? 0;
    const low = this.#uint(4) ?? 0;
    return high === 0 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low);
  }

  /** A byte string behind its length in 16 bits, at most `max` bytes long. */
  sized16(max = 0xffff): Uint8Array | undefined {
    return this.#sized(2, max);
  }

  /** A byte string behind its length in 32 bits, at most `max` bytes long. */
  sized32(max: number): Uint8Array | undefined {
    return this.#sized(4, max);
  }

  #sized(width: number, max: number): Uint8Array | undefined {
    const start = this.#at;
    const length = this.#uint(width);
    const value = length === undefined || length > max ? undefined : this.take(length);
    if (value === undefined) this.#at = start;
    return value;
  }

  #uint(width: number): number | undefined {
    if (this.remaining < width) return undefined;
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 256 + (this.bytes[this.#at++] ?? 0);
    return value;
  }
}
