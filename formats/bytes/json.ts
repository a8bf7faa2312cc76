import { fromUtf8 } from './bytes.ts';
import { type Result, refuse, success } from './result.ts';

/** A JSON value. Objects that `parseJson` returns have no prototype. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [member: string]: Json;
}

export type JsonCode =
  | 'json-too-large'
  | 'json-not-utf8'
  | 'json-syntax'
  | 'json-too-deep'
  | 'json-duplicate-member';

export interface JsonBounds {
  /** Of the text, in bytes (for a string: in UTF-16 units). */
  readonly maxBytes: number;
  /** Nesting of arrays and objects; a bare number has depth 0. */
  readonly maxDepth: number;
}

class JsonRefusal extends Error {
  readonly code: JsonCode;
  constructor(code: JsonCode, message: string) {
    super(message);
    this.code = code;
  }
}

const STRING = /"(?:[^"\\\p{Cc}]|[\u007f-\u009f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const SPACE = /[ \t\n\r]*/y;
const LITERALS: readonly (readonly [string, Json])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
];

class Parser {
  readonly text: string;
  readonly maxDepth: number;
  at = 0;

  constructor(text: string, maxDepth: number) {
    this.text = text;
    this.maxDepth = maxDepth;
  }

  document(): Json {
    const value = this.value(0);
    this.space();
    if (this.at !== this.text.length) this.fail('something follows the value');
    return value;
  }

  value(depth: number): Json {
    this.space();
    const first = this.text[this.at];
    if (first === '"') return this.string();
    if (first === '{') return this.object(depth + 1);
    if (first === '[') return this.array(depth + 1);
    for (const [word, value] of LITERALS)
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    return this.number();
  }

  object(depth: number): JsonObject {
    this.enter(depth);
    const members: Record<string, Json> = Object.create(null);
    if (this.accept('}')) return members;
    do {
      this.space();
      const name = this.string();
      if (name in members)
        throw new JsonRefusal('json-duplicate-member', `the member ${JSON.stringify(name)} is there twice`);
      this.expect(':');
      members[name] = this.value(depth);
    } while (this.accept(','));
    this.expect('}');
    return members;
  }

  array(depth: number): Json[] {
    this.enter(depth);
    const items: Json[] = [];
    if (this.accept(']')) return items;
    do items.push(this.value(depth));
    while (this.accept(','));
    this.expect(']');
    return items;
  }

  string(): string {
    const token = this.token(STRING) ?? this.fail('a string is expected');
    if (!token.includes('\\')) return token.slice(1, -1);
    const value: string = JSON.parse(token);
    return value.isWellFormed() ? value : this.fail('an escape is half of a surrogate pair');
  }

  /** Integers that a double cannot hold exactly, and overflow to infinity, are refused rather than rounded. */
  number(): number {
    const token = this.token(NUMBER) ?? this.fail('a value is expected');
    const value = Number(token);
    if (!Number.isFinite(value) || (/^-?[0-9]+$/.test(token) && !Number.isSafeInteger(value)))
      this.fail('a number is out of range');
    return value;
  }

  enter(depth: number): void {
    if (depth > this.maxDepth) throw new JsonRefusal('json-too-deep', `deeper than ${this.maxDepth} levels`);
    this.at++;
  }

  space(): void {
    this.token(SPACE);
  }

  accept(character: string): boolean {
    this.space();
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  expect(character: string): void {
    if (!this.accept(character)) this.fail(`"${character}" is expected`);
  }

  token(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match === null) return undefined;
    this.at = pattern.lastIndex;
    return match[0];
  }

  fail(what: string): never {
    throw new JsonRefusal('json-syntax', `${what} at character ${this.at}`);
  }
}

/**
 * Reads JSON text (RFC 8259) strictly: well-formed UTF-8 without byte order mark, no duplicate members (I-JSON,
 * RFC 7493), numbers within range, bounded size and depth. Never throws on bad input.
 */
export function parseJson(input: string | Uint8Array, bounds: JsonBounds): Result<Json, JsonCode> {
  const no = (code: JsonCode, message: string) =>
    refuse(code, `not acceptable JSON: ${message}`, 'send valid JSON');
  if (input.length > bounds.maxBytes) return no('json-too-large', `more than ${bounds.maxBytes} bytes`);
  const text = typeof input === 'string' ? input : fromUtf8(input);
  if (!text?.isWellFormed()) return no('json-not-utf8', 'the text is not UTF-8');
  try {
    return success(new Parser(text, bounds.maxDepth).document());
  } catch (error) {
    if (error instanceof JsonRefusal) return no(error.code, error.message);
    throw error;
  }
}

/** Whether a value is no deeper than allowed and its numbers are within range. */
function isBounded(value: Json, depth: number): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value) || !Number.isInteger(value);
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  if (Array.isArray(value)) {
    for (const item of value) if (!isBounded(item, depth - 1)) return false;
    return true;
  }
  for (const name in value) {
    const member = (value as JsonObject)[name] ?? null;
    // Most members are strings: a call less each.
    if (typeof member !== 'string' && !isBounded(member, depth - 1)) return false;
  }
  return true;
}

/**
 * `parseJson` for most texts, by the platform's parser, which lets the last of several members of one name pass: but a
 * text that is what its value is written as has every member once; without escapes, no half characters either. Undefined for all
 * other texts, acceptable or not: the strict parser decides. Objects have their usual prototype here: for readers of
 * own members.
 */
export function parsePlainJson(bytes: Uint8Array, bounds: JsonBounds): Json | undefined {
  const text = bytes.length > bounds.maxBytes ? undefined : fromUtf8(bytes);
  if (text === undefined || text.includes('\\')) return undefined;
  try {
    const value: Json = JSON.parse(text);
    return isBounded(value, bounds.maxDepth) && JSON.stringify(value) === text ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a JSON value is an object (not null, not an array). */
export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
