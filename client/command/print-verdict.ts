import { CHECKS } from '../../verify/check-names.ts';
import type { Check, Verdict } from '../../verify/verdict.ts';
import { Failure } from '../failure.ts';
import type { Output } from './output.ts';

const MARKS: ReadonlyMap<Check['ok'], string> = new Map<Check['ok'], string>([
  [true, 'ok'],
  [false, 'NO'],
  ['not-run', '--'],
]);
const SHORT = 72;

/** A verdict check by check, one line each; what was expected and found is shown in full where a check failed. */
export function verdictLines(verdict: Verdict, explain = false): string[] {
  const lines = verdict.checks.flatMap((check) => {
    const mark = (MARKS.get(check.ok) ?? '??').padEnd(3);
    const name = check.name.padEnd(22);
    const text =
      check.ok === true ? (check.actual === '' ? (check.detail ?? '') : check.actual) : (check.detail ?? '');
    const line = `  ${mark} ${name} ${shorten(text)}`.trimEnd();
    const why =
      check.ok === false ? [`      expected ${check.expected}`, `      found    ${check.actual}`] : [];
    return [line, ...why, ...(explain ? [`      ${CHECKS[check.name]}`] : [])];
  });
  const failed = verdict.checks.filter(({ ok }) => ok === false).length;
  const notRun = verdict.checks.filter(({ ok }) => ok === 'not-run').length;
  const counted = `${verdict.checks.length - failed - notRun} checks held, ${notRun} had nothing to compare with or were not reached`;
  return [
    ...lines,
    verdict.ok
      ? `verdict: good (${counted})`
      : `verdict: REFUSED, ${verdict.code} (${failed} failed; ${counted})`,
  ];
}

/** What `--json` shows of a verdict. */
export function verdictObject(verdict: Verdict): object {
  const { ok, code, checks, statement } = verdict;
  return { ok, ...(code && { code }), checks, ...(statement && { statement }) };
}

/** The refusal that a bad verdict ends a command with, its report written first. */
export function refusedVerdict(verdict: Verdict): Failure {
  const failed = verdict.checks.find(({ ok }) => ok === false);
  return new Failure(
    'verdict',
    verdict.code ?? 'refused',
    `the evidence is refused: ${failed?.name ?? 'a check'} failed`,
    'do not connect; ask the operator what changed',
  );
}

export function printVerdict(output: Output, verdict: Verdict): void {
  for (const line of verdictLines(verdict)) output.line(line);
}

function shorten(text: string): string {
  return text.length > SHORT ? `${text.slice(0, SHORT - 3)}...` : text;
}
