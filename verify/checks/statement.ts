import { fromBase64url } from '../../formats/bytes/base64.ts';
import { equal, toHex } from '../../formats/bytes/bytes.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import { parseStatement, type Statement } from '../../formats/evidence/statement.ts';
import { fails, holds, notRun, type Outcome } from '../check-log.ts';
import type { ExpectedNonce } from '../context.ts';
import type { Fingerprint } from '../fingerprint.ts';
import type { VerifyCache } from '../verify-cache.ts';
import type { BatchProof } from './batch.ts';

/** Seconds by which clocks of verifier and node may differ. */
export const CLOCK_SKEW_SECONDS = 60;

/** The statement's closed schema; runs only after the quote was found to cover these bytes. */
export function checkStatement(
  { statement }: Bundle,
  { leaf }: BatchProof,
  cache: VerifyCache | undefined,
): Outcome<Statement> {
  const expected = 'a closed schema, every member once';
  const parsed = cache?.statement(leaf, statement) ?? parseStatement(statement);
  if (parsed.ok) return holds(parsed.value, expected, `${statement.length} bytes`);
  const duplicate = parsed.code === 'evidence-duplicate-member';
  return fails(duplicate ? 'statement-duplicate-member' : 'statement-malformed', expected, parsed.message);
}

/** Whether a nonce of the verifier is in the statement. */
export type Freshness = 'challenge' | 'epoch' | 'unchecked';

export function checkNonce(statement: Statement, nonce: ExpectedNonce): Outcome<Freshness> {
  const actual = fromBase64url(statement.eat_nonce) ?? new Uint8Array(0);
  if (nonce === 'unchecked')
    return notRun('unchecked', 'any', toHex(actual), 'no nonce was given, so this may be a recording');
  const accepted = nonce instanceof Uint8Array ? [nonce] : nonce.epochs;
  const shown = toHex(actual);
  // A verifier's nonce below 16 bytes could be guessed: no statement carries one.
  const match = accepted.find((each) => each.length >= 16 && equal(each, actual));
  const expected = accepted.map((each) => (each === match ? shown : toHex(each))).join(' or ');
  return match
    ? holds(nonce instanceof Uint8Array ? 'challenge' : 'epoch', expected, shown)
    : fails('nonce-differs', expected, shown);
}

export function checkAge(statement: Statement, now: number, maxAge: number): Outcome<undefined> {
  const age = now - statement.iat;
  const expected = `${-CLOCK_SKEW_SECONDS} s to ${maxAge} s`;
  // Written so that an age or a bound that is no number is refused.
  if (!(age >= -CLOCK_SKEW_SECONDS)) return fails('evidence-from-the-future', expected, `${age} s`);
  return age <= maxAge
    ? holds(undefined, expected, `${age} s`)
    : fails('evidence-too-old', expected, `${age} s`);
}

/**
 * The statement confirms this certificate (`x5t#S256`), or, in a request, this key (`spki#S256`): each verifier
 * accepts its own form only.
 * @param hash SHA-256 of the certificate's DER, or of the key's SPKI, as bytes and in hex
 */
export function checkConfirmation(
  statement: Statement,
  form: 'x5t#S256' | 'spki#S256',
  { sha256, hex: expected }: Fingerprint,
): Outcome<undefined> {
  const members: Readonly<Partial<Record<string, string>>> = statement.cnf;
  const value = members[form];
  if (value === undefined) return fails('confirmation-form', form, Object.keys(members).join());
  const actual = fromBase64url(value) ?? new Uint8Array(0);
  return equal(actual, sha256)
    ? holds(undefined, expected)
    : fails('confirmation-differs', expected, toHex(actual));
}
