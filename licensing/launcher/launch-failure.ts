import type { LaunchCode } from '../codes/launch-code.ts';

/** Carries a launch's failure out of nested waiting; at the edge it becomes the refusal it is. */
export class LaunchFailure extends Error {
  override readonly name = 'LaunchFailure';
  readonly code: LaunchCode;

  constructor(code: LaunchCode, message: string) {
    super(message);
    this.code = code;
  }
}
