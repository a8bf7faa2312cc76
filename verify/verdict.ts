import type { Statement } from '../formats/evidence/statement.ts';
import type { CheckName } from './check-names.ts';
import type { VerifyCode } from './verify-code.ts';

/** One line of a verdict. Values are for people and for comparison by eye; the outcome is `ok`. */
export interface Check {
  readonly name: CheckName;
  /** `not-run` always says in `detail` why: the check it depends on failed, or there was nothing to compare with. */
  readonly ok: true | false | 'not-run';
  readonly expected: string;
  readonly actual: string;
  readonly detail?: string;
  /** Of a failed check. */
  readonly code?: VerifyCode;
}

/** A node's TPM as it was last seen; what a verifier remembers between verifications. */
export interface TpmSeen {
  readonly node: string;
  /** Lower-case hex SHA-256 of the endorsement key's SPKI. */
  readonly ekSha256: string;
  /** Lower-case hex name of the attestation key (TPM 2.0 Library part 1, 16). */
  readonly akName: string;
  readonly resetCount: number;
  readonly restartCount: number;
  /** Milliseconds; compared only within one reset count. */
  readonly clock: number;
}

/** The outcome of a verification, and how it came to be. */
export interface Verdict {
  /** No check failed, so each either held or had nothing to compare with, and says so. */
  readonly ok: boolean;
  /** Every check, in the protocol's order, none left out. */
  readonly checks: readonly Check[];
  /** Of the first check that failed. */
  readonly code?: VerifyCode;
  /** Only when the quote was verified to cover it. */
  readonly statement?: Statement;
  /** Only of a good verdict: store it, and pass it as `seen` next time. */
  readonly remember?: TpmSeen;
}
