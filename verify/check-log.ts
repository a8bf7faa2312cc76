import { toHex } from '../formats/bytes/bytes.ts';
import type { Statement } from '../formats/evidence/statement.ts';
import type { CheckName } from './check-names.ts';
import type { Check, TpmSeen, Verdict } from './verdict.ts';
import type { VerifyCode } from './verify-code.ts';

/**
 * A value as a line of the verdict shows it: text, bytes (in hex), or how to write it. It is written out when somebody
 * reads the lines, so it must not be made of anything that a caller can change until then.
 */
type Shown = string | Uint8Array | (() => string);

interface Found {
  readonly expected: Shown;
  readonly actual: Shown;
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

export function holds<T>(value: T, expected: Shown, actual: Shown = expected, detail?: string): Outcome<T> {
  return { ok: true, value, expected, actual, detail, code: undefined };
}

export function fails(code: VerifyCode, expected: string, actual: string, detail?: string): Outcome<never> {
  return { ok: false, value: undefined, expected, actual, detail, code };
}

/** There is nothing to compare with, and the caller said so; what is there is shown all the same. */
export function notRun<T>(value: T, expected: Shown, actual: Shown, why: string): Outcome<T> {
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
  return { name, result: outcome?.ok ? outcome : undefined };
}

const NONE: readonly Step<unknown>[] = [];

/** A step and what was found at it: the line of the verdict, before it is written out. */
interface Line extends Step<unknown> {
  readonly outcome: Outcome<unknown>;
}

/** Runs checks one after the other and keeps a line of each, also of those whose dependency failed. */
export class CheckLog {
  readonly #lines: Line[] = [];
  #code: VerifyCode | undefined;

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
    const steps: readonly Step<unknown>[] = after;
    const blocking = firstFailed(steps) ?? firstFailed(also);
    if (blocking) return this.#blocked(name, blocking);
    const outcome = called(run as (...values: readonly unknown[]) => Outcome<T>, steps);
    const line = { name, outcome, result: outcome.ok === false ? undefined : outcome };
    this.#lines.push(line);
    if (outcome.ok === false) this.#code ??= outcome.code;
    return line;
  }

  #blocked(name: CheckName, by: Step<unknown>): Step<never> {
    const line = { name, outcome: notRun(undefined, '', '', `${by.name} did not hold`), result: undefined };
    this.#lines.push(line);
    return line;
  }

  verdict(statement: Step<Statement>, tpm: Step<TpmSeen>): Verdict {
    return new JudgedVerdict(this.#lines, this.#code, statement.result?.value, tpm.result?.value);
  }
}

function firstFailed(steps: readonly Step<unknown>[]): Step<unknown> | undefined {
  for (const step of steps) if (step.result === undefined) return step;
  return undefined;
}

/** Calls a check with the values of its steps, by hand: spread, these calls would cost as much as the checks themselves. */
function called<T>(run: (...values: readonly unknown[]) => T, steps: readonly Step<unknown>[]): T {
  const value = (index: number) => steps[index]?.result?.value;
  switch (steps.length) {
    case 0:
      return run();
    case 1:
      return run(value(0));
    case 2:
      return run(value(0), value(1));
    case 3:
      return run(value(0), value(1), value(2));
    default:
      return run(...steps.map(({ result }) => result?.value));
  }
}

/** A verdict whose lines are written out when they are first read: most callers only ask whether it is good. */
class JudgedVerdict implements Verdict {
  readonly ok: boolean;
  declare readonly checks: readonly Check[];
  declare readonly code?: VerifyCode;
  declare readonly statement?: Statement;
  declare readonly remember?: TpmSeen;
  readonly #lines: readonly Line[];
  #checks: readonly Check[] | undefined;

  /** A member like any other, for spreading, JSON and comparison; one descriptor for all verdicts, which is quicker. */
  static readonly #CHECKS: PropertyDescriptor & ThisType<JudgedVerdict> = {
    enumerable: true,
    get() {
      this.#checks ??= this.#lines.map(written);
      return this.#checks;
    },
  };

  constructor(
    lines: readonly Line[],
    code: VerifyCode | undefined,
    statement: Statement | undefined,
    tpm: TpmSeen | undefined,
  ) {
    this.ok = code === undefined;
    this.#lines = lines;
    Object.defineProperty(this, 'checks', JudgedVerdict.#CHECKS);
    if (code !== undefined) this.code = code;
    if (statement) this.statement = statement;
    if (tpm && code === undefined) this.remember = tpm;
  }
}

function written({ name, outcome: { ok, expected, actual, detail, code } }: Line): Check {
  return {
    name,
    ok,
    expected: text(expected),
    actual: text(actual),
    ...(detail === undefined ? {} : { detail }),
    ...(code === undefined ? {} : { code }),
  };
}

function text(shown: Shown): string {
  if (typeof shown === 'string') return shown;
  return typeof shown === 'function' ? shown() : toHex(shown);
}
