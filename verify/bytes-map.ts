import { equalPublic } from '../formats/bytes/bytes.ts';

const MAX_ENTRIES = 1024;
/** As many as a number holds exactly. */
const TAIL_BYTES = 6;

interface Entry<V> {
  readonly bytes: Uint8Array;
  readonly value: V;
}

/**
 * Values by byte strings, found by the last bytes (a signature's or a key's: as good as random) and compared whole, so
 * that nothing but the very same bytes finds an entry. Holds at most 1,024 entries, the oldest go first; of two strings
 * that end alike the newer one stays.
 */
export class BytesMap<V> {
  readonly #entries = new Map<number, Entry<V>>();

  get(bytes: Uint8Array): V | undefined {
    const entry = this.#entries.get(tail(bytes));
    return entry && equalPublic(entry.bytes, bytes) ? entry.value : undefined;
  }

  /** @param bytes nobody may change them afterwards: give a copy */
  set(bytes: Uint8Array, value: V): void {
    const [oldest] = this.#entries.size < MAX_ENTRIES ? [] : this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(tail(bytes), { bytes, value });
  }
}

function tail(bytes: Uint8Array): number {
  let value = 0;
  for (let i = Math.max(0, bytes.length - TAIL_BYTES); i < bytes.length; i++)
    value = value * 256 + (bytes[i] ?? 0);
  return value;
}
