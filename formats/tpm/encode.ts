import { Writer } from '../bytes/writer.ts';
import type { Arms, Fields, Names, Shape, Wire } from './wire.ts';

/** What a structure's fields know of each other while it is written: selectors. */
type Scope = Map<string, number>;
type Value = Readonly<Record<string, unknown>>;

/** Writes a value. Throws RangeError for a value that its wire type cannot hold: a defect of the caller. */
export function encode<T>(wire: Wire<T>, value: T): Uint8Array {
  const writer = new Writer();
  write(writer, wire.shape, value, new Map());
  return writer.finish();
}

/** Writes fields without the wrapping: handles and parameters of a command. Throws as `encode` does. */
export function encodeFields(fields: Fields, value: Value): Uint8Array {
  return encode({ shape: { kind: 'structure', fields } }, value);
}

function writeUint(writer: Writer, width: 1 | 2 | 4, value: number): void {
  if (width === 1) writer.u8(value);
  else if (width === 2) writer.u16(value);
  else writer.u32(value);
}

function write(writer: Writer, shape: Shape, value: unknown, scope: Scope): void {
  switch (shape.kind) {
    case 'uint': {
      const number = value as number;
      if (!(number >= shape.min && number <= shape.max)) throw new RangeError(`${number} is not allowed`);
      writeUint(writer, shape.width, number);
      return;
    }
    case 'uint64':
      writer.u64(value as bigint);
      return;
    case 'yes-no':
      writer.u8(value === true ? 1 : 0);
      return;
    case 'constant':
      writeUint(writer, shape.width, shape.value);
      return;
    case 'name':
      writeUint(writer, shape.width, shape.names[value as string] ?? impossible(`${value} has no number`));
      return;
    case 'flags':
      writeUint(writer, shape.width, flagBits(value as Value, shape.bits));
      return;
    case 'fixed':
    case 'buffer':
    case 'rest': {
      const bytes = value as Uint8Array;
      const { min, max } = bounds(shape);
      if (bytes.length < min || bytes.length > max) throw new RangeError(`${bytes.length} bytes do not fit`);
      if (shape.kind === 'buffer') writeUint(writer, shape.width, bytes.length);
      writer.bytes(bytes);
      return;
    }
    case 'sized': {
      const inner = new Writer();
      write(inner, shape.inner, value, new Map());
      writer.sized16(inner.finish());
      return;
    }
    case 'list': {
      const items = value as readonly unknown[];
      if (items.length > shape.max)
        throw new RangeError(`${items.length} items where ${shape.max} are allowed`);
      writer.u32(items.length);
      for (const item of items) write(writer, shape.item, item, new Map());
      return;
    }
    case 'structure':
      writeFields(writer, shape.fields, value as Value);
      return;
    case 'union': {
      const tag = tagOf(shape.arms, value as Value);
      writeUint(writer, shape.width, tag);
      writeArm(writer, shape.arms, tag, value as Value);
      return;
    }
    case 'selector':
      writeUint(writer, shape.width, value as number);
      return;
    case 'arm':
      writeArm(writer, shape.arms, scope.get(shape.by) ?? -1, value as Value);
      return;
  }
}

function bounds(shape: Shape & { kind: 'fixed' | 'buffer' | 'rest' }): { min: number; max: number } {
  if (shape.kind === 'fixed') return { min: shape.length, max: shape.length };
  return { min: shape.kind === 'buffer' ? shape.min : 0, max: shape.max };
}

function impossible(message: string): never {
  throw new RangeError(message);
}

function flagBits(value: Value, bits: Names): number {
  let number = 0;
  for (const name in bits) if (value[name] === true) number += 2 ** (bits[name] ?? 0);
  return number;
}

function tagOf(arms: Arms, value: Value): number {
  return arms[value['kind'] as string]?.tag ?? impossible(`no union arm ${value['kind']}`);
}

function writeFields(writer: Writer, fields: Fields, value: Value): void {
  const scope: Scope = new Map();
  for (const name in fields) {
    const field = fields[name];
    if (field === undefined) continue;
    const { shape } = field;
    if (shape.kind === 'selector') {
      const kind = (value[shape.of[0] ?? ''] as Value | undefined)?.['kind'] as string;
      const tag = shape.tags[kind] ?? impossible(`no union arm ${kind}`);
      scope.set(name, tag);
      write(writer, shape, tag, scope);
    } else write(writer, shape, value[name], scope);
  }
}

function writeArm(writer: Writer, arms: Arms, tag: number, value: Value): void {
  const found = arms[value['kind'] as string];
  if (found?.tag !== tag) throw new RangeError('unions of one selector differ in kind');
  writeFields(writer, found.fields, value);
}
