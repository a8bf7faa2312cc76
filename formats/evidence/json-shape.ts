import { fromBase64, fromBase64url } from '../bytes/base64.ts';
import { isJsonObject, type Json, parseJson } from '../bytes/json.ts';
import { type Result, refuse, success } from '../bytes/result.ts';
import type { EvidenceCode } from './evidence-code.ts';

/** Turns a JSON value into a T, or throws a ShapeProblem that names the place. */
export type Shape<T> = (value: Json, at: string) => T;
type ShapeOf<S> = S extends Shape<infer T> ? T : never;

/** Caught by `readJson`; never leaves this room. */
class ShapeProblem extends Error {}

function problem(at: string, what: string): never {
  throw new ShapeProblem(`${at === '' ? 'the document' : at}: ${what} is expected`);
}

/** Text that matches `pattern` whole, of at most `max` UTF-16 units. */
export function text(pattern: RegExp, max: number, what = `text like ${pattern.source}`): Shape<string> {
  return (value, at) =>
    typeof value === 'string' && value.length <= max && pattern.test(value) ? value : problem(at, what);
}

/** One of the texts given. */
export function oneOf<const T extends string>(...allowed: readonly T[]): Shape<T> {
  return (value, at) => allowed.find((each) => each === value) ?? problem(at, allowed.join(' or '));
}

export function integer(min: number, max: number): Shape<number> {
  return (value, at) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
      ? value
      : problem(at, `an integer from ${min} to ${max}`);
}

function binary(decode: (text: string) => Uint8Array | undefined, what: string) {
  return (min: number, max: number): Shape<Uint8Array> =>
    (value, at) => {
      const bytes = typeof value === 'string' && value.length <= 2 * max + 4 ? decode(value) : undefined;
      return bytes && bytes.length >= min && bytes.length <= max
        ? bytes
        : problem(at, `${what} of ${min} to ${max} bytes`);
    };
}
/** Byte strings in one encoding each: every other form is refused. */
export const base64 = binary(fromBase64, 'base64');
export const base64url = binary(fromBase64url, 'base64url');

/** Text that is base64url of so many bytes, kept as text. */
export function base64urlText(min: number, max: number): Shape<string> {
  const bytes = base64url(min, max);
  return (value, at) => {
    bytes(value, at);
    return String(value);
  };
}

const SHA256_HEX = /^[0-9a-f]{64}$/;
/** Lower-case hex of 32 bytes, kept as text. */
export const sha256Hex: Shape<string> = (value, at) =>
  typeof value === 'string' && SHA256_HEX.test(value) ? value : problem(at, 'a SHA-256 in lower-case hex');

export function list<T>(item: Shape<T>, min: number, max: number): Shape<T[]> {
  return (value, at) =>
    Array.isArray(value) && value.length >= min && value.length <= max
      ? value.map((each, index) => item(each, `${at}[${index}]`))
      : problem(at, `a list of ${min} to ${max}`);
}

/** A shape with a condition on what it read. */
export function where<T>(shape: Shape<T>, holds: (value: T) => boolean, what: string): Shape<T> {
  return (value, at) => {
    const read = shape(value, at);
    return holds(read) ? read : problem(at, what);
  };
}

/** A map of any number of members, names by a pattern. */
export function mapOf<T>(name: RegExp, item: Shape<T>, min: number, max: number): Shape<Map<string, T>> {
  return (value, at) => {
    if (!isJsonObject(value)) return problem(at, 'an object');
    const members = Object.entries(value);
    if (members.length < min || members.length > max) return problem(at, `${min} to ${max} members`);
    const path = at === '' ? '' : `${at}.`;
    return new Map(
      members.map(([key, member]) => [
        name.test(key) ? key : problem(`${path}${key}`, `a member named like ${name.source}`),
        item(member, `${path}${key}`),
      ]),
    );
  };
}

/** A closed object: every required member there, nothing but required and optional ones. */
export function object<
  R extends Record<string, Shape<unknown>>,
  O extends Record<string, Shape<unknown>> = Record<never, never>,
>(required: R, optional?: O): Shape<{ [K in keyof R]: ShapeOf<R[K]> } & { [K in keyof O]?: ShapeOf<O[K]> }> {
  const shapes = new Map<string, Shape<unknown>>([
    ...Object.entries(required),
    ...Object.entries(optional ?? {}),
  ]);
  const needed = Object.keys(required);
  return (value, at) => {
    if (!isJsonObject(value)) return problem(at, 'an object');
    const found: Record<string, unknown> = {};
    const path = at === '' ? '' : `${at}.`;
    for (const name of needed) if (!Object.hasOwn(value, name)) problem(`${path}${name}`, 'a member');
    for (const [name, member] of Object.entries(value)) {
      const shape = shapes.get(name) ?? problem(`${path}${name}`, 'no member of this name');
      found[name] = shape(member, `${path}${name}`);
    }
    return found as ReturnType<ReturnType<typeof object<R, O>>>;
  };
}

/**
 * Parses JSON text of bounded size and depth and reads it by a shape. What is wrong is a refusal that names the
 * member; duplicate members have a code of their own.
 */
export function readJson<T>(
  input: string | Uint8Array,
  shape: Shape<T>,
  bounds: { readonly maxBytes: number; readonly maxDepth: number },
  what: string,
): Result<T, EvidenceCode> {
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
    return success(shape(value, ''));
  } catch (error) {
    if (error instanceof ShapeProblem)
      return refuse('evidence-out-of-bounds', error.message, 'mend the member that is named');
    throw error;
  }
}
