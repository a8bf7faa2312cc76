import { fromBase64url } from '../../formats/bytes/base64.ts';
import { equal, toHex } from '../../formats/bytes/bytes.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import { parseStatement, type Statement } from '../../formats/evidence/statement.ts';
import { fails, holds, notRun, type Outcome } from '../check-log.ts';
import type { ExpectedNonce } from '../context.ts';
import type { Fingerprint } from '../fingerprint.ts';

/** Seconds by which clocks of verifier and node may differ. */
const CLOCK_SKEW_SECONDS = 60;

/** The statement's closed schema; runs only after the quote was found to cover these bytes. */
export function checkStatement({ statement }: Bundle): Outcome<Statement> {
  const expected = 'a closed schema, every member once';
  const parsed = parseStatement(statement);
  const { length } = statement;
  if (parsed.ok) return holds(parsed.value, expected, () => `${length} bytes`);
  const duplicate = parsed.code === 'evidence-duplicate-member';
  return fails(duplicate ? 'statement-duplicate-member' : 'statement-malformed', expected, parsed.message);
}

/** Whether a nonce of the verifier is in the statement. */
export type Freshness = 'challenge' | 'epoch' | 'unchecked';

export function checkNonce(statement: Statement, nonce: ExpectedNonce): Outcome<Freshness> {
  const actual = fromBase64url(statement.eat_nonce) ?? new Uint8Array(0);
  if (nonce === 'unchecked')
    return notRun('unchecked', 'any', actual, 'no nonce was given, so this may be a recording');
  const challenge = nonce instanceof Uint8Array;
  // A verifier's nonce below 16 bytes could be guessed: no statement carries one.
  const matches = (each: Uint8Array) => each.length >= 16 && equal(each, actual);
  if (challenge && matches(nonce)) return holds('challenge', actual);
  const accepted = challenge ? [nonce] : nonce.epochs;
  const expected = accepted.map(toHex).join(' or ');
  return !challenge && accepted.some(matches)
    ? holds('epoch', expected, actual)
    : fails('nonce-differs', expected, toHex(actual));
}

export function checkAge(statement: Statement, now: number, maxAge: number): Outcome<undefined> {
  const age = now - statement.iat;
  const expected = () => `${-CLOCK_SKEW_SECONDS} s to ${maxAge} s`;
  const actual = () => `${age} s`;
  // Written so that an age or a bound that is no number is refused.
  if (!(age >= -CLOCK_SKEW_SECONDS)) return fails('evidence-from-the-future', expected(), actual());
  return age <= maxAge ? holds(undefined, expected, actual) : fails('evidence-too-old', expected(), actual());
}

/**
 * The statement confirms this certificate (`x5t#S256`), or, in a request, this key (`spki#S256`): each verifier
 * accepts its own form only.
 * @param fingerprint of the certificate's DER, or of the key's SPKI
 */
export function checkConfirmation(
  statement: Statement,
  form: 'x5t#S256' | 'spki#S256',
  { hex, base64url }: Fingerprint,
): Outcome<undefined> {
  const members: Readonly<Partial<Record<string, string>>> = statement.cnf;
  const value = members[form];
  if (value === undefined) return fails('confirmation-form', form, Object.keys(members).join());
  // A statement's base64url has one form for one byte string, and nothing here is secret.
  return value === base64url
    ? holds(undefined, hex)
    : fails('confirmation-differs', hex, toHex(fromBase64url(value) ?? new Uint8Array(0)));
}
