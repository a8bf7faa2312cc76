import { TYPES_TABLE } from './types-table.ts';

/** A type as the table writes it, taken apart. */
export interface FieldType {
  readonly pointer: boolean;
  readonly shape: 'scalar' | 'list' | 'map' | 'struct';
  /** Scalar code (s, i, n, b, q, t, m, x, B, *) or the name of a structure. */
  readonly name: string;
  /** Of a list or map. */
  readonly element: FieldType | undefined;
}

export interface FieldRule {
  readonly name: string;
  readonly type: FieldType;
  readonly omitEmpty: boolean;
  readonly omitZero: boolean;
  /** Strategic merge of a list: the member that names an element, '' for a set of values. */
  readonly mergeKey: string | undefined;
  readonly retainKeys: boolean;
  /** Field number of the protobuf form, after those of messages that JSON does not show. */
  readonly numbers: readonly number[];
}

export type StructRules = ReadonlyMap<string, FieldRule>;

function parseType(code: string): FieldType {
  if (code.startsWith('^')) return { ...parseType(code.slice(1)), pointer: true };
  const plain = { pointer: false, element: undefined } as const;
  if (code.startsWith('[]')) return { ...plain, shape: 'list', name: '', element: parseType(code.slice(2)) };
  if (code.startsWith('{}')) return { ...plain, shape: 'map', name: '', element: parseType(code.slice(2)) };
  return { ...plain, shape: code.length === 1 ? 'scalar' : 'struct', name: code };
}

function parseField(written: string): FieldRule {
  const colon = written.indexOf(':');
  const name = written.slice(0, colon).replaceAll('?', '');
  const [, code = '', , key, retain, numbers = ''] =
    /^([^/!#]+)(\/(\w*))?(!)?(?:#([\d.]+))?$/.exec(written.slice(colon + 1)) ?? [];
  return {
    name,
    type: parseType(code),
    omitEmpty: written.slice(0, colon).endsWith('?'),
    omitZero: written.slice(0, colon).endsWith('??'),
    mergeKey: key,
    retainKeys: retain !== undefined,
    numbers: numbers === '' ? [] : numbers.split('.').map(Number),
  };
}

const STRUCTS: ReadonlyMap<string, StructRules> = new Map(
  TYPES_TABLE.trim()
    .split('\n')
    .map((line) => {
      const [name = '', ...written] = line.split(' ');
      return [name, new Map(written.map(parseField).map((field) => [field.name, field]))];
    }),
);

/** The fields of a structure by its Go name (`Pod`, `Container`), or `undefined` for one that is not in the table. */
export function structRules(name: string): StructRules | undefined {
  return STRUCTS.get(name);
}
