/**
 * Why a command or a library call did not do what was asked; decides the exit code. `verdict` is kept for evidence that was refused, and nothing else; `warning`
 * and `problem` are what `enclavectl doctor` found.
 */
export type FailureKind =
  | 'verdict'
  | 'usage'
  | 'unreachable'
  | 'not-allowed'
  | 'fault'
  | 'warning'
  | 'problem';

/** What could not be done, as a value to show: what is wrong, why (`code`, stable), and what to do (`remedy`). */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly kind: FailureKind;
  readonly code: string;
  readonly remedy: string;

  constructor(kind: FailureKind, code: string, message: string, remedy: string) {
    super(message);
    this.kind = kind;
    this.code = code;
    this.remedy = remedy;
  }
}

export function usage(code: string, message: string, remedy: string): Failure {
  return new Failure('usage', code, message, remedy);
}
