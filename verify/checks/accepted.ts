import { fails, holds, type Outcome } from '../check-log.ts';
import { type Accepted, accepts } from '../policy/policy.ts';
import type { VerifyCode } from '../verify-code.ts';

/** The accepted values as a line of the verdict shows them. */
export function written(accepted: Accepted<string>): string {
  if (accepted === 'any') return accepted;
  const [only] = accepted;
  return accepted.length === 1 && only !== undefined ? only : accepted.join(' or ');
}

/** One claim against the values that the policy accepts. */
export function checkAccepted<T extends string>(
  code: VerifyCode,
  accepted: Accepted<T>,
  claim: T,
): Outcome<undefined> {
  return accepts(accepted, claim)
    ? holds(undefined, written(accepted), claim)
    : fails(code, written(accepted), claim);
}
