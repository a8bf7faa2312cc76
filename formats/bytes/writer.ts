/** What no longer fits so many bytes. */
const LIMITS = [1, 2 ** 8, 2 ** 16, 2 ** 24, 2 ** 32];

/**
 * Builds a byte string. Integers are big-endian. A value that does not fit its field is a defect of the caller
 * and throws RangeError: nothing is ever cut off silently.
 */
export class Writer {
  #buffer = new Uint8Array(256);
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  u8(value: number): this {
    return this.#uint(value, 1);
  }

  u16(value: number): this {
    return this.#uint(value, 2);
  }

  u24(value: number): this {
    return this.#uint(value, 3);
  }

  u32(value: number): this {
    return this.#uint(value, 4);
  }

  u64(value: bigint): this {
    if (value < 0n || value > 0xffffffffffffffffn) throw new RangeError(`${value} does not fit 64 bits`);
    return this.u32(Number(value >> 32n)).u32(Number(value & 0xffffffffn));
  }

  /** A byte string behind its length in 16 bits. */
  sized16(value: Uint8Array): this {
    return this.u16(value.length).bytes(value);
  }

  /** A byte string behind its length in 32 bits. */
  sized32(value: Uint8Array): this {
    return this.u32(value.length).bytes(value);
  }

  /** Begins anew, in the same memory. */
  reset(): this {
    this.#length = 0;
    return this;
  }

  /** What was written, not copied: good until the next `reset`. For a hash's input. */
  view(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }

  #uint(value: number, width: number): this {
    if (!Number.isInteger(value) || value < 0 || value >= (LIMITS[width] ?? 0))
      throw new RangeError(`${value} does not fit ${8 * width} bits`);
    this.#reserve(width);
    for (let i = width - 1, rest = value; i >= 0; i--, rest >>>= 8)
      this.#buffer[this.#length + i] = rest & 0xff;
    this.#length += width;
    return this;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#buffer.length, this.#length + more));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}
