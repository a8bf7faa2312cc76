/** Changes one byte of a bundle file, at random, where a forger would. */
import { randomInt } from 'node:crypto';

const FIELDS = ['statement', 'attest', 'signature'] as const;

export interface Mutation {
  readonly text: string;
  /** What was changed, for the reader: `attest[37]: 0x4f -> 0x4e`. */
  readonly what: string;
}

/** @throws Error when the bundle has not the fields of evidence.v1.Bundle's JSON */
export function mutateBundle(text: string): Mutation {
  const bundle = JSON.parse(text) as Record<string, unknown>;
  const field = FIELDS[randomInt(FIELDS.length)] ?? 'attest';
  const value = bundle[field];
  if (typeof value !== 'string') throw new Error(`the bundle has no ${field}`);
  const bytes = Buffer.from(value, 'base64');
  const position = randomInt(bytes.length);
  const before = bytes[position] ?? 0;
  const after = before ^ (1 << randomInt(8));
  bytes[position] = after;
  const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, '0')}`;
  return {
    text: JSON.stringify({ ...bundle, [field]: bytes.toString('base64') }),
    what: `${field}[${position}]: ${hex(before)} -> ${hex(after)}`,
  };
}
