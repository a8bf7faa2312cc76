import type { Statement } from '../formats/evidence/statement.ts';
import type { CheckName } from './check-names.ts';
import type { Check, TpmSeen, Verdict } from './verdict.ts';
import type { VerifyCode } from './verify-code.ts';

interface Found {
  readonly expected: string;
  readonly actual: string;
  readonly detail: string | undefined;
}

/** What a check found. A check that holds hands a value on to those that depend on it. */
export type Outcome<T> =
  | (Found & { readonly ok: true | 'not-run'; readonly value: T; readonly code: undefined })
  | (Found & { readonly ok: false; readonly value: undefined; readonly code: VerifyCode });

/** A check that was reached: the value of one that held, for those that depend on it. */
export interface Step<T> {
  readonly name: CheckName;
  readonly result: { readonly value: T } | undefined;
}

export function holds<T>(value: T, expected: string, actual: string = expected, detail?: string): Outcome<T> {
  return { ok: true, value, expected, actual, detail, code: undefined };
}

export function fails(code: VerifyCode, expected: string, actual: string, detail?: string): Outcome<never> {
  return { ok: false, value: undefined, expected, actual, detail, code };
}

/** There is nothing to compare with, and the caller said so; what is there is shown all the same. */
export function notRun<T>(value: T, expected: string, actual: string, why: string): Outcome<T> {
  return { ok: 'not-run', value, expected, actual, detail: `not run: ${why}`, code: undefined };
}

/** A value made from a step's own, without a line of its own. */
export function derive<T, U>({ name, result }: Step<T>, make: (value: T) => U): Step<U> {
  return { name, result: result && { value: make(result.value) } };
}

/**
 * What a check will find, found out ahead of its line because an earlier line needs its value: a step in that check's
 * name. The check itself must run on the same outcome, so that a failure is reported there and nowhere else.
 */
export function ahead<T>(name: CheckName, outcome: Outcome<T> | undefined): Step<T> {
  return { name, result: outcome?.ok ? { value: outcome.value } : undefined };
}

const NONE: readonly Step<unknown>[] = [];

/** Runs checks one after the other and keeps a line of each, also of those whose dependency failed. */
export class CheckLog {
  readonly #checks: Check[] = [];

  /**
   * Runs a check on the values of those it depends on; when one of them failed, lists it as not run and names that one.
   * @param also depended on as well, without their values
   */
  check<T, D extends readonly unknown[]>(
    name: CheckName,
    after: readonly [...{ [K in keyof D]: Step<D[K]> }],
    run: (...values: D) => Outcome<T>,
    also: readonly Step<unknown>[] = NONE,
  ): Step<T> {
    for (const step of after) if (step.result === undefined) return this.#blocked(name, step);
    for (const step of also) if (step.result === undefined) return this.#blocked(name, step);
    const values: unknown[] = [];
    for (const step of after) values.push(step.result?.value);
    const outcome = run(...(values as unknown as D));
    const { ok, expected, actual, detail, code } = outcome;
    const line = { name, ok, expected, actual };
    this.#checks.push(detail === undefined && code === undefined ? line : withMore(line, detail, code));
    return { name, result: outcome.ok === false ? undefined : outcome };
  }

  #blocked(name: CheckName, by: Step<unknown>): Step<never> {
    const detail = `not run: ${by.name} did not hold`;
    this.#checks.push({ name, ok: 'not-run', expected: '', actual: '', detail });
    return { name, result: undefined };
  }

  verdict(statement: Step<Statement>, tpm: Step<TpmSeen>): Verdict {
    const failed = this.#checks.find((check) => check.ok === false);
    return {
      ok: failed === undefined,
      checks: this.#checks,
      ...(failed?.code === undefined ? {} : { code: failed.code }),
      ...(statement.result ? { statement: statement.result.value } : {}),
      ...(tpm.result && failed === undefined ? { remember: tpm.result.value } : {}),
    };
  }
}

function withMore(line: Check, detail: string | undefined, code: VerifyCode | undefined): Check {
  return { ...line, ...(detail === undefined ? {} : { detail }), ...(code === undefined ? {} : { code }) };
}
