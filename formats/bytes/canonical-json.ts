import canonicalize from 'canonicalize';
import type { Json } from './json.ts';

/**
 * JSON in the one form that RFC 8785 gives each value: members sorted by UTF-16 units, numbers as ECMAScript
 * writes them, no space. Throws for what I-JSON cannot hold (NaN, infinities, half a surrogate pair).
 */
export function canonicalJson(value: Json): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('not a JSON value');
  return text;
}
