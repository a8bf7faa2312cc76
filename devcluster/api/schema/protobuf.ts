import { type Fields, isFields } from '../object.ts';
import { type FieldRule, type FieldType, structRules } from './types.ts';

/** kubectl's typed commands (`certificate approve`, `create token`) send protobuf; everything else JSON. */
export const PROTOBUF = 'application/vnd.kubernetes.protobuf';

const MAGIC = Buffer.from('k8s\0', 'latin1');

type Wire = readonly [number: number, value: bigint | Buffer];

function* read(bytes: Buffer): Generator<Wire> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at];
      if (byte === undefined) throw new Error('protobuf: truncated');
      at += 1;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new Error('protobuf: varint too long');
  };
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new Error('protobuf: truncated');
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const type = tag & 7;
    if (type === 0) yield [tag >>> 3, varint()];
    else if (type === 1) yield [tag >>> 3, take(8)];
    else if (type === 2) yield [tag >>> 3, take(Number(varint()))];
    else if (type === 5) yield [tag >>> 3, take(4)];
    else throw new Error(`protobuf: wire type ${type}`);
  }
}

function bytesOf(bytes: Buffer, number: number): Buffer | undefined {
  for (const [field, value] of read(bytes)) if (field === number && Buffer.isBuffer(value)) return value;
  return undefined;
}

function textOf(bytes: Buffer | undefined, number: number): string {
  return bytes === undefined ? '' : (bytesOf(bytes, number)?.toString('utf8') ?? '');
}

function integerOf(bytes: Buffer, number: number): number {
  for (const [field, value] of read(bytes))
    if (field === number && typeof value === 'bigint') return toNumber(value);
  return 0;
}

function toNumber(value: bigint): number {
  return Number(BigInt.asIntN(64, value));
}

/** A runtime.Unknown envelope around a message of the kind that it names, as the JSON form of the object. */
export function fromProtobuf(body: Buffer): Fields {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('protobuf: no k8s envelope');
  const unknown = body.subarray(MAGIC.length);
  const typeMeta = bytesOf(unknown, 1);
  const kind = textOf(typeMeta, 2);
  if (structRules(kind) === undefined) throw new Error(`protobuf: kind ${kind} is not known`);
  const object = message(kind, bytesOf(unknown, 2) ?? Buffer.alloc(0));
  return { ...object, apiVersion: textOf(typeMeta, 1), kind };
}

function message(struct: string, bytes: Buffer): Fields {
  const rules = [...(structRules(struct)?.values() ?? [])].filter((rule) => rule.numbers.length > 0);
  const result: Fields = {};
  fill(result, rules, 0, bytes);
  return result;
}

/** @param depth how many of the rules' field numbers lead to here */
function fill(result: Fields, rules: readonly FieldRule[], depth: number, bytes: Buffer): void {
  for (const [number, value] of read(bytes)) {
    const here = rules.filter((rule) => rule.numbers[depth] === number);
    const [rule] = here;
    if (rule === undefined) continue;
    if (rule.numbers.length > depth + 1) {
      if (Buffer.isBuffer(value)) fill(result, here, depth + 1, value);
      continue;
    }
    const { type } = rule;
    const held = result[rule.name];
    if (type.shape === 'list' && type.element !== undefined)
      result[rule.name] = [...(Array.isArray(held) ? held : []), single(type.element, value)];
    else if (type.shape === 'map' && type.element !== undefined && Buffer.isBuffer(value))
      result[rule.name] = { ...(isFields(held) ? held : {}), ...entry(type.element, value) };
    else result[rule.name] = single(type, value);
  }
}

function entry(element: FieldType, bytes: Buffer): Fields {
  const value = bytesOf(bytes, 2) ?? Buffer.alloc(0);
  // A map of lists (ExtraValue) is a map of messages with `items`.
  if (element.shape === 'list')
    return {
      [textOf(bytes, 1)]: [...read(value)].map(([, item]) =>
        Buffer.isBuffer(item) ? item.toString('utf8') : '',
      ),
    };
  return { [textOf(bytes, 1)]: single(element, value) };
}

function single(type: FieldType, value: bigint | Buffer): unknown {
  if (!Buffer.isBuffer(value)) return type.name === 'b' ? value !== 0n : toNumber(value);
  if (type.shape === 'struct') return message(type.name, value);
  switch (type.name) {
    case 's':
      return value.toString('utf8');
    case 'n':
      return value.readDoubleLE();
    case 'B':
      return value.toString('base64');
    case 'q':
      return textOf(value, 1);
    case 't':
    case 'm': {
      const seconds = integerOf(value, 1);
      const micro = String(Math.floor(integerOf(value, 2) / 1000)).padStart(6, '0');
      // Go's zero time is far before the epoch: no time.
      if (seconds <= 0) return null;
      const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
      return type.name === 't' ? `${whole}Z` : `${whole}.${micro}Z`;
    }
    case 'x':
      return integerOf(value, 1) === 0 ? integerOf(value, 2) : textOf(value, 3);
    default: {
      const raw = bytesOf(value, 1);
      return raw === undefined ? null : JSON.parse(raw.toString('utf8'));
    }
  }
}
