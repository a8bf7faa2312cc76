import { fromUtf8 } from '../bytes/bytes.ts';
import { Reader } from '../bytes/reader.ts';

/** What one field of a message may hold. `max` counts bytes of one value; `times` how often it may come (1 unless repeated). */
export type FieldRule =
  | { readonly kind: 'bytes' | 'string'; readonly max: number; readonly times?: number }
  | { readonly kind: 'uint32'; readonly max: number }
  | { readonly kind: 'message'; readonly max: number; readonly times?: number; readonly fields: MessageRule };

/** Field number to rule: a message of our protos with the bounds that its comments state. */
export type MessageRule = ReadonlyMap<number, FieldRule>;

const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** A varint of at most 32 bits in its shortest form (Protocol Buffers, Encoding, Base 128 Varints). */
function varint(reader: Reader): number | undefined {
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = reader.u8();
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return (byte === 0 && shift > 0) || value > 0xffffffff ? undefined : value;
  }
  return undefined;
}

/**
 * What is wrong with a protobuf message, or undefined. Stricter than a decoder: known fields only, in ascending
 * order, none twice that is not repeated, right wire types, shortest varints, no default value written out, strings
 * in UTF-8, every length within its bound. What passes re-encodes to the same bytes.
 */
export function wireProblem(bytes: Uint8Array, fields: MessageRule): string | undefined {
  const reader = new Reader(bytes);
  let last = 0;
  let count = 0;
  while (!reader.done) {
    const key = varint(reader);
    const number = key === undefined ? 0 : key >>> 3;
    const rule = fields.get(number);
    if (key === undefined || rule === undefined) return `field ${number} is unknown`;
    if (number < last) return `field ${number} is out of order`;
    count = number === last ? count + 1 : 1;
    last = number;
    const times = rule.kind === 'uint32' ? 1 : (rule.times ?? 1);
    if (count > times) return `field ${number} comes more than ${times} times`;
    if ((key & 7) !== (rule.kind === 'uint32' ? VARINT : LENGTH_DELIMITED))
      return `field ${number} has another wire type`;
    const problem = valueProblem(reader, rule);
    if (problem !== undefined) return `field ${number}${problem.startsWith('.') ? '' : ' '}${problem}`;
  }
  return undefined;
}

function valueProblem(reader: Reader, rule: FieldRule): string | undefined {
  const value = varint(reader);
  if (value === undefined) return 'is cut off';
  if (value > rule.max) return `is over its bound of ${rule.max}`;
  if (rule.kind === 'uint32') return value === 0 ? 'writes out its default' : undefined;
  const content = reader.take(value);
  if (content === undefined) return 'is cut off';
  if (rule.kind === 'message') {
    const problem = wireProblem(content, rule.fields);
    return problem === undefined ? undefined : `.${problem}`;
  }
  if (value === 0 && rule.times === undefined) return 'writes out its default';
  return rule.kind === 'string' && fromUtf8(content) === undefined ? 'is not UTF-8' : undefined;
}
