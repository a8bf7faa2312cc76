import { Reader } from '../bytes/reader.ts';
import { type Result, refuse, success } from '../bytes/result.ts';
import type { Arms, Fields, Names, Shape, Wire } from './wire.ts';

/** Why bytes are no such structure. */
export type TpmFormatCode =
  /** The input ends inside a field. */
  | 'tpm-truncated'
  /** Bytes follow the structure, or a TPM2B is longer than what it holds. */
  | 'tpm-left-over'
  /** A value that its field does not allow: an unknown algorithm, a reserved bit, a wrong magic. */
  | 'tpm-bad-value'
  /** A length or a count above its field's bound. */
  | 'tpm-too-large';

class Malformed extends Error {
  readonly code: TpmFormatCode;
  readonly path: string[] = [];
  constructor(code: TpmFormatCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** What a structure's fields know of each other while it is read: selectors. */
type Scope = ReadonlyMap<string, number>;
const NO_SELECTORS: Scope = new Map();
type Value = Readonly<Record<string, unknown>>;

/**
 * Reads one value that fills `bytes` exactly. Total: bad input is a refusal whose message names the field.
 * What it accepts, `encode` turns back into the same bytes.
 */
export function decode<T>(wire: Wire<T>, bytes: Uint8Array): Result<T, TpmFormatCode> {
  const reader = new Reader(bytes);
  try {
    const value = read(reader, wire.shape, NO_SELECTORS);
    if (!reader.done) throw new Malformed('tpm-left-over', `${reader.remaining} bytes follow the structure`);
    return success(value as T);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const at = error.path.length > 0 ? ` in ${error.path.join('.')}` : '';
    return refuse(error.code, `${error.message}${at}`, 'send the bytes exactly as the TPM made them');
  }
}

/** Reads fields without the wrapping: handles and parameters of a response. Throws nothing; see `decode`. */
export function decodeFields(fields: Fields, bytes: Uint8Array): Result<Value, TpmFormatCode> {
  return decode({ shape: { kind: 'structure', fields } }, bytes) as Result<Value, TpmFormatCode>;
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Malformed('tpm-truncated', 'the input ends too early');
  return value;
}

function readUint(reader: Reader, width: 1 | 2 | 4): number {
  return present(width === 1 ? reader.u8() : width === 2 ? reader.u16() : reader.u32());
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function read(reader: Reader, shape: Shape, scope: Scope): unknown {
  switch (shape.kind) {
    case 'uint': {
      const value = readUint(reader, shape.width);
      if (value < shape.min || value > shape.max)
        throw new Malformed('tpm-bad-value', `${hex(value)} is not allowed`);
      return value;
    }
    case 'uint64':
      return present(reader.u64());
    case 'yes-no': {
      const value = present(reader.u8());
      if (value > 1) throw new Malformed('tpm-bad-value', `${hex(value)} is neither YES nor NO`);
      return value === 1;
    }
    case 'constant': {
      const value = readUint(reader, shape.width);
      if (value !== shape.value)
        throw new Malformed('tpm-bad-value', `${hex(value)} is not ${hex(shape.value)}`);
      return undefined;
    }
    case 'name': {
      const value = readUint(reader, shape.width);
      return nameOf(shape.names, value) ?? unknownValue(value);
    }
    case 'flags':
      return readFlags(readUint(reader, shape.width), shape.bits);
    case 'buffer': {
      const length = readUint(reader, shape.width);
      if (length > shape.max)
        throw new Malformed('tpm-too-large', `${length} bytes where ${shape.max} are allowed`);
      if (length < shape.min)
        throw new Malformed('tpm-bad-value', `${length} bytes where ${shape.min} are needed`);
      return present(reader.take(length));
    }
    case 'fixed':
      return present(reader.take(shape.length));
    case 'rest':
      if (reader.remaining > shape.max)
        throw new Malformed('tpm-too-large', `${reader.remaining} bytes where ${shape.max} are allowed`);
      return present(reader.take(reader.remaining));
    case 'sized': {
      const inner = new Reader(present(reader.sized16()));
      const value = read(inner, shape.inner, NO_SELECTORS);
      if (!inner.done) throw new Malformed('tpm-left-over', `${inner.remaining} bytes are left in a TPM2B`);
      return value;
    }
    case 'list': {
      const count = readUint(reader, 4);
      if (count > shape.max)
        throw new Malformed('tpm-too-large', `${count} items where ${shape.max} are allowed`);
      const items: unknown[] = [];
      while (items.length < count) items.push(read(reader, shape.item, NO_SELECTORS));
      return items;
    }
    case 'structure':
      return readFields(reader, shape.fields, {});
    case 'union': {
      const tag = readUint(reader, shape.width);
      return readArm(reader, shape.arms, tag);
    }
    case 'selector': {
      const tag = readUint(reader, shape.width);
      if (nameOf(shape.tags, tag) === undefined) unknownValue(tag);
      return tag;
    }
    case 'arm':
      return readArm(reader, shape.arms, scope.get(shape.by) ?? -1);
  }
}

function unknownValue(value: number): never {
  throw new Malformed('tpm-bad-value', `${hex(value)} is not known here`);
}

function nameOf(names: Names, value: number): string | undefined {
  for (const name in names) if (names[name] === value) return name;
  return undefined;
}

function readFlags(value: number, bits: Names): Record<string, boolean> {
  const set: Record<string, boolean> = {};
  let known = 0;
  for (const name in bits) {
    const mask = 2 ** (bits[name] ?? 0);
    set[name] = Math.floor(value / mask) % 2 === 1;
    if (set[name]) known += mask;
  }
  if (known !== value) throw new Malformed('tpm-bad-value', `reserved bits are set in ${hex(value)}`);
  return set;
}

function readFields(reader: Reader, fields: Fields, value: Record<string, unknown>): Record<string, unknown> {
  // Most structures have no selector.
  let scope: Map<string, number> | undefined;
  for (const name in fields) {
    const field = fields[name];
    if (field === undefined) continue;
    try {
      const found = read(reader, field.shape, scope ?? NO_SELECTORS);
      if (field.shape.kind === 'selector') scope = (scope ?? new Map()).set(name, found as number);
      else if (!('hidden' in field)) value[name] = found;
    } catch (error) {
      if (error instanceof Malformed) error.path.unshift(name);
      throw error;
    }
  }
  return value;
}

function readArm(reader: Reader, arms: Arms, tag: number): Record<string, unknown> {
  for (const kind in arms) {
    const found = arms[kind];
    if (found?.tag === tag) return readFields(reader, found.fields, { kind });
  }
  return unknownValue(tag);
}
