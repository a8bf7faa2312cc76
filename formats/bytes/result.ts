/** A refusal is a value: a code to switch over, what was wrong, and what a person can do about it. */
export interface Refusal<C extends string = string> {
  readonly ok: false;
  readonly code: C;
  readonly message: string;
  readonly remedy: string;
}

export interface Success<T> {
  readonly ok: true;
  readonly value: T;
}

/** What a parser or a decision returns. An exception means "try again" or a defect, never "no". */
export type Result<T, C extends string = string> = Success<T> | Refusal<C>;

export function success<T>(value: T): Success<T> {
  return { ok: true, value };
}

export function refuse<C extends string>(code: C, message: string, remedy: string): Refusal<C> {
  return { ok: false, code, message, remedy };
}
