import type { DoctorCode } from './code.ts';
import type { CheckResult, Finding, Severity } from './finding.ts';
import type { Read } from './read.ts';

export type Said = Pick<Finding, 'about' | 'what' | 'why' | 'remedy'>;

/** What a check writes down while it looks at a snapshot. */
export class Notes {
  readonly #findings: Finding[] = [];
  readonly #unread: string[] = [];
  readonly #seen: string[] = [];

  problem(code: DoctorCode, said: Said): void {
    this.#add('problem', code, said);
  }

  warning(code: DoctorCode, said: Said): void {
    this.#add('warning', code, said);
  }

  #add(severity: Severity, code: DoctorCode, said: Said): void {
    this.#findings.push({ severity, code, ...said });
  }

  saw(what: string): void {
    this.#seen.push(what);
  }

  /** The value, or undefined when it could not be read: then that is noted once. */
  value<T>(what: string, read: Read<T>): T | undefined {
    if (read.ok) return read.value;
    const line = `${what}: ${read.message}`;
    if (!this.#unread.includes(line)) this.#unread.push(line);
    return undefined;
  }

  /** The same, but an API server that does not have such a thing at all is no lack. */
  optional<T>(what: string, read: Read<T>): T | undefined {
    return !read.ok && read.reason === 'not-served' ? undefined : this.value(what, read);
  }

  result(): CheckResult {
    return { seen: this.#seen.join('; '), findings: this.#findings, unread: this.#unread };
  }
}
