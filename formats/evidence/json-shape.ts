import { fromBase64, fromBase64url } from '../bytes/base64.ts';
import { isJsonObject, type Json, type JsonBounds, parseJson, parsePlainJson } from '../bytes/json.ts';
import { type Result, refuse, success } from '../bytes/result.ts';
import type { EvidenceCode } from './evidence-code.ts';

/** Turns a JSON value into a T, or throws a ShapeProblem. Reads own members only. */
export type Shape<T> = (value: Json) => T;
type ShapeOf<S> = S extends Shape<infer T> ? T : never;

/** Caught by `readValue`, which names the place; never leaves this room. */
class ShapeProblem extends Error {
  /** From the outermost member in; list items as `[index]`. */
  readonly path: string[] = [];

  get at(): string {
    return this.path.join('.').replaceAll('.[', '[') || 'the document';
  }
}

function problem(what: string): never {
  throw new ShapeProblem(`${what} is expected`);
}

/** Reads the value at a place; a problem in it is one of that place. */
export function within<T>(shape: Shape<T>, value: Json, place: string | number): T {
  try {
    return shape(value);
  } catch (error) {
    if (error instanceof ShapeProblem) error.path.unshift(typeof place === 'number' ? `[${place}]` : place);
    throw error;
  }
}

const UNEXPECTED = { shape: (() => problem('no member of this name')) satisfies Shape<never>, needed: 0 };
const missing: Shape<never> = () => problem('a member');

/** Text that matches `pattern` whole, of at most `max` UTF-16 units. */
export function text(pattern: RegExp, max: number, what = `text like ${pattern.source}`): Shape<string> {
  return (value) =>
    typeof value === 'string' && value.length <= max && pattern.test(value) ? value : problem(what);
}

/** One of the texts given. */
export function oneOf<const T extends string>(...allowed: readonly T[]): Shape<T> {
  return (value) => allowed.find((each) => each === value) ?? problem(allowed.join(' or '));
}

export function integer(min: number, max: number): Shape<number> {
  return (value) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
      ? value
      : problem(`an integer from ${min} to ${max}`);
}

function binary(decode: (text: string) => Uint8Array | undefined, what: string) {
  return (min: number, max: number): Shape<Uint8Array> =>
    (value) => {
      const bytes = typeof value === 'string' && value.length <= 2 * max + 4 ? decode(value) : undefined;
      return bytes && bytes.length >= min && bytes.length <= max
        ? bytes
        : problem(`${what} of ${min} to ${max} bytes`);
    };
}
/** Byte strings in one encoding each: every other form is refused. */
export const base64 = binary(fromBase64, 'base64');
export const base64url = binary(fromBase64url, 'base64url');

/** Text that is base64url of so many bytes, kept as text. */
export function base64urlText(min: number, max: number): Shape<string> {
  const bytes = base64url(min, max);
  return (value) => {
    bytes(value);
    return String(value);
  };
}

const SHA256_HEX = /^[0-9a-f]{64}$/;
/** Lower-case hex of 32 bytes, kept as text. */
export const sha256Hex: Shape<string> = (value) =>
  typeof value === 'string' && SHA256_HEX.test(value) ? value : problem('a SHA-256 in lower-case hex');

export function list<T>(item: Shape<T>, min: number, max: number): Shape<T[]> {
  return (value) =>
    Array.isArray(value) && value.length >= min && value.length <= max
      ? value.map((each, index) => within(item, each, index))
      : problem(`a list of ${min} to ${max}`);
}

/** A shape with a condition on what it read. */
export function where<T>(shape: Shape<T>, holds: (value: T) => boolean, what: string): Shape<T> {
  return (value) => {
    const read = shape(value);
    return holds(read) ? read : problem(what);
  };
}

/** A map of any number of members, names by a pattern. */
export function mapOf<T>(name: RegExp, item: Shape<T>, min: number, max: number): Shape<Map<string, T>> {
  const misnamed: Shape<never> = () => problem(`a member named like ${name.source}`);
  return (value) => {
    if (!isJsonObject(value)) return problem('an object');
    const members = Object.entries(value);
    if (members.length < min || members.length > max) return problem(`${min} to ${max} members`);
    return new Map(
      members.map(([key, member]) => [key, within(name.test(key) ? item : misnamed, member, key)]),
    );
  };
}

/** A closed object: every required member there, nothing but required and optional ones. */
export function object<
  R extends Record<string, Shape<unknown>>,
  O extends Record<string, Shape<unknown>> = Record<never, never>,
>(required: R, optional?: O): Shape<{ [K in keyof R]: ShapeOf<R[K]> } & { [K in keyof O]?: ShapeOf<O[K]> }> {
  const members = new Map<string, { readonly shape: Shape<unknown>; readonly needed: number }>();
  for (const [name, shape] of Object.entries(required)) members.set(name, { shape, needed: 1 });
  for (const [name, shape] of Object.entries(optional ?? {})) members.set(name, { shape, needed: 0 });
  const needed = Object.keys(required);
  return (value) => {
    if (!isJsonObject(value)) return problem('an object');
    // A copy is made only when a member reads as something else; its members stay in the text's order.
    let found: Record<string, unknown> | undefined;
    let met = 0;
    for (const name in value) {
      const member = value[name] ?? null;
      const expected = members.get(name) ?? UNEXPECTED;
      const read = within(expected.shape, member, name);
      met += expected.needed;
      if (read !== member) found ??= { ...value };
      if (found) found[name] = read;
    }
    if (met !== needed.length)
      within(missing, null, needed.find((name) => !Object.hasOwn(value, name)) ?? '');
    return (found ?? value) as ReturnType<ReturnType<typeof object<R, O>>>;
  };
}

/**
 * Parses JSON text of bounded size and depth and reads it by a shape. What is wrong is a refusal that names the
 * member; duplicate members have a code of their own.
 */
export function readJson<T>(
  input: string | Uint8Array,
  shape: Shape<T>,
  bounds: JsonBounds,
  what: string,
): Result<T, EvidenceCode> {
  // Most texts are read in a quarter of the time; what is wrong with any other, the strict parser says.
  const plain = typeof input === 'string' ? undefined : parsePlainJson(input, bounds);
  const quick = plain === undefined ? undefined : readValue(plain, shape);
  if (quick?.ok) return quick;
  const parsed = parseJson(input, bounds);
  const remedy = `give ${what} exactly as it was made`;
  if (!parsed.ok) {
    const code: EvidenceCode =
      parsed.code === 'json-too-large'
        ? 'evidence-too-large'
        : parsed.code === 'json-duplicate-member'
          ? 'evidence-duplicate-member'
          : 'evidence-malformed';
    return refuse(code, `${what}: ${parsed.message}`, remedy);
  }
  const read = readValue(parsed.value, shape);
  return read.ok ? read : refuse('evidence-out-of-bounds', `${what}: ${read.message}`, remedy);
}

/** Reads a value that was parsed already (from YAML, say); a refusal's message begins with the member's path. */
export function readValue<T>(value: Json, shape: Shape<T>): Result<T, EvidenceCode> {
  try {
    return success(shape(value));
  } catch (error) {
    if (error instanceof ShapeProblem)
      return refuse(
        'evidence-out-of-bounds',
        `${error.at}: ${error.message}`,
        'mend the member that is named',
      );
    throw error;
  }
}
