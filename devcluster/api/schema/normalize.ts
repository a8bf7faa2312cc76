import { type Fields, isFields } from '../object.ts';
import { canonicalQuantity } from './quantity.ts';
import { type FieldRule, type FieldType, structRules } from './types.ts';

/** A value that Go's decoder would not take. */
export class DecodeError extends Error {}

/**
 * A JSON value as kube-apiserver stores it after it went through the Go structure of that name: unknown fields go (their
 * paths are added to `unknown`), empty ones are left out or filled in as the JSON tags say, quantities and times get
 * their canonical form. Throws DecodeError on a value of the wrong type.
 */
export function normalize(struct: string, value: unknown, unknown: string[]): Fields {
  return normalizeStruct(struct, value, '', unknown);
}

function normalizeStruct(name: string, value: unknown, path: string, unknown: string[]): Fields {
  const rules = structRules(name);
  if (rules === undefined) throw new Error(`type ${name} is not in the table`);
  if (!isFields(value)) throw mismatch(value, path, name);
  const result: Fields = {};
  for (const member of Object.keys(value))
    if (!rules.has(member)) unknown.push(path === '' ? member : `${path}.${member}`);
  for (const rule of rules.values()) {
    const at = path === '' ? rule.name : `${path}.${rule.name}`;
    const kept = normalizeField(rule, value[rule.name], at, unknown);
    if (kept !== undefined) result[rule.name] = kept;
  }
  return result;
}

function normalizeField(rule: FieldRule, value: unknown, path: string, unknown: string[]): unknown {
  const { type } = rule;
  const there = value === null ? undefined : value;
  if (type.pointer) return there === undefined ? undefined : normalizeValue(type, there, path, unknown);
  if (type.shape === 'struct') {
    const made = normalizeStruct(type.name, there ?? {}, path, unknown);
    return rule.omitZero && Object.keys(made).length === 0 ? undefined : made;
  }
  const made = there === undefined ? undefined : normalizeValue(type, there, path, unknown);
  if (rule.omitEmpty || type.shape !== 'scalar') return isEmpty(made) ? undefined : made;
  if (made !== undefined) return made;
  return type.name === 's'
    ? ''
    : type.name === 'i' || type.name === 'n'
      ? 0
      : type.name === 'b'
        ? false
        : undefined;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === '' || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isFields(value) && Object.keys(value).length === 0;
}

function normalizeValue(type: FieldType, value: unknown, path: string, unknown: string[]): unknown {
  const { element } = type;
  if (type.shape === 'struct') return normalizeStruct(type.name, value, path, unknown);
  if (type.shape === 'list' && element !== undefined) {
    if (!Array.isArray(value)) throw mismatch(value, path, 'list');
    return value.map((each, index) =>
      each === null && element.shape === 'struct'
        ? normalizeStruct(element.name, {}, `${path}[${index}]`, unknown)
        : normalizeValue(element, each, `${path}[${index}]`, unknown),
    );
  }
  if (type.shape === 'map' && element !== undefined) {
    if (!isFields(value)) throw mismatch(value, path, 'map');
    const result: Fields = {};
    for (const [key, each] of Object.entries(value))
      result[key] =
        each === null && element.name === 's' ? '' : normalizeValue(element, each, `${path}.${key}`, unknown);
    return result;
  }
  return normalizeScalar(type.name, value, path);
}

const GO_NAMES: Readonly<Record<string, string>> = {
  s: 'string',
  i: 'int32',
  n: 'float64',
  b: 'bool',
  B: '[]uint8',
};

function normalizeScalar(code: string, value: unknown, path: string): unknown {
  switch (code) {
    case 's':
    case 'b':
    case 'i':
    case 'n': {
      const wanted = code === 's' ? 'string' : code === 'b' ? 'boolean' : 'number';
      if (typeof value !== wanted || (code === 'i' && !Number.isInteger(value)))
        throw mismatch(value, path, GO_NAMES[code] ?? '');
      return value;
    }
    case 'q': {
      const canonical =
        typeof value === 'string' || typeof value === 'number' ? canonicalQuantity(String(value)) : undefined;
      if (canonical === undefined)
        throw new DecodeError(
          `quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
        );
      return canonical;
    }
    case 't':
    case 'm': {
      const milliseconds = typeof value === 'string' ? Date.parse(value) : Number.NaN;
      if (typeof value !== 'string' || Number.isNaN(milliseconds))
        throw new DecodeError(
          `parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00": cannot parse`,
        );
      if (code === 'm' && !/\.\d{6}/.test(value))
        throw new DecodeError(
          `parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"`,
        );
      const whole = new Date(milliseconds).toISOString().slice(0, 19);
      const fraction = /\.(\d+)/.exec(value)?.[1] ?? '';
      return code === 't' ? `${whole}Z` : `${whole}.${fraction.padEnd(6, '0').slice(0, 6)}Z`;
    }
    case 'x':
      if (typeof value !== 'string' && !Number.isInteger(value))
        throw mismatch(value, path, 'intstr.IntOrString');
      return value;
    case 'B': {
      const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : undefined;
      if (bytes === undefined || bytes.toString('base64') !== value)
        throw new DecodeError('illegal base64 data at input byte 0');
      return value;
    }
    default:
      return value;
  }
}

function mismatch(value: unknown, path: string, wanted: string): DecodeError {
  const is = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
  const go = is === 'boolean' ? 'bool' : is;
  return new DecodeError(`json: cannot unmarshal ${go} into Go struct field ${path} of type ${wanted}`);
}
