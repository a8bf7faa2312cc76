import type { DoctorCode } from './code.ts';

/** `problem`: something does not work, or does not protect. `warning`: it will, or somebody should look. */
export type Severity = 'problem' | 'warning';

/** Something that an operator should act on. */
export interface Finding {
  readonly severity: Severity;
  readonly code: DoctorCode;
  /** What it is about: `node worker-1`, `ConfigMap enclave-licensing-roots`. */
  readonly about: string;
  /** What is wrong. */
  readonly what: string;
  /** Why it matters. */
  readonly why: string;
  /** What to do: a command where there is one. */
  readonly remedy: string;
}

/** What a check came to. */
export interface CheckResult {
  /** What was seen, in a sentence, for a check without findings. */
  readonly seen: string;
  readonly findings: readonly Finding[];
  /** What could not be looked at, and why: one line each. */
  readonly unread: readonly string[];
}
