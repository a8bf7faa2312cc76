import { CHECKS, remedyOf } from '../../../verify/check-names.ts';
import type { Check, Verdict } from '../../../verify/verdict.ts';
import { Failure } from '../../failure.ts';
import type { Output } from './output.ts';
import { printable } from './printable.ts';
import { GAP, type Line, row, type Segment, wrap } from './styled.ts';

const OUTCOMES: ReadonlyMap<Check['ok'], Segment> = new Map<Check['ok'], Segment>([
  [true, { text: 'ok', style: 'good' }],
  [false, { text: 'NO', style: 'bad' }],
  ['not-run', { text: '--', style: 'warning' }],
]);
const OUTCOME_WIDTH = 2;
const NAME_WIDTH = Math.max(...Object.keys(CHECKS).map((name) => name.length));
/** Narrower, and two columns of values would be all breaks. */
const MIN_VALUE_WIDTH = 20;

/** A verdict as a table: outcome, check, what was expected and what was found, each in full; then the outcome of all. */
export function verdictLines(verdict: Verdict, width: number): Line[] {
  const values = Math.floor((width - OUTCOME_WIDTH - NAME_WIDTH - 3 * GAP) / 2);
  const lines =
    values < MIN_VALUE_WIDTH
      ? verdict.checks.flatMap((check) => stacked(check, width))
      : [
          ...row(
            ['', 'CHECK', 'EXPECTED', 'FOUND'].map((text) => ({ text, style: 'title' })),
            [OUTCOME_WIDTH, NAME_WIDTH, values, values],
          ),
          ...verdict.checks.flatMap((check) =>
            row(
              [outcome(check), check.name, dated(check.expected), found(check)],
              [OUTCOME_WIDTH, NAME_WIDTH, values, values],
            ),
          ),
        ];
  return [...lines, ...lastLines(verdict, width)];
}

function outcome(check: Check): Segment {
  return OUTCOMES.get(check.ok) ?? { text: '??', style: 'bad' };
}

/** A verdict's times are Unix seconds; a person is told the date. */
function dated(text: string): string {
  return text.replace(
    /\b(valid at|valid from|valid until|it is) (\d{9,11})\b/g,
    (_, what: string, seconds: string) =>
      `${what} ${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}Z`,
  );
}

function found({ ok, expected, actual, detail }: Check): string {
  const value = ok === true && actual === expected && actual !== '' ? 'the same' : dated(actual);
  return [value, detail ?? ''].filter((text) => text !== '').join('; ');
}

/** For a narrow terminal: one below the other. */
function stacked(check: Check, width: number): Line[] {
  const indent = ' '.repeat(OUTCOME_WIDTH + GAP);
  const text = (what: string, value: string) =>
    value === '' ? [] : wrap(`${what} ${value}`, width - indent.length).map((line) => `${indent}${line}`);
  return [
    [outcome(check), ' '.repeat(GAP), check.name],
    ...text('expected', dated(check.expected)),
    ...text('found', found(check)),
  ];
}

function lastLines(verdict: Verdict, width: number): Line[] {
  const failed = verdict.checks.filter(({ ok }) => ok === false).length;
  const notRun = verdict.checks.filter(({ ok }) => ok === 'not-run').length;
  const held = `${verdict.checks.length - failed - notRun} checks held`;
  const open = notRun === 0 ? '' : `, ${notRun} had nothing to compare with or were not reached`;
  return verdict.ok
    ? wrap(`verdict: good (${held}${open})`, width).map((text) => [{ text, style: 'good' }])
    : wrap(`verdict: REFUSED, ${verdict.code} (${failed} failed; ${held}${open})`, width).map((text) => [
        { text, style: 'bad' },
      ]);
}

/** The one line that says how a verdict ended. */
export function verdictLine(verdict: Verdict): Line {
  return lastLines(verdict, Number.POSITIVE_INFINITY)[0] ?? '';
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
    failed === undefined ? 'do not connect' : remedyOf(failed.name, failed.code),
  );
}

/** A verdict one line a check, for a command that has more to say: values are cut at the line's end, but not those of a check that failed. */
export function printVerdict(output: Output, verdict: Verdict): void {
  for (const line of briefLines(verdict, output.width)) output.line(line);
}

export function briefLines(verdict: Verdict, width: number): Line[] {
  const room = Math.max(width - OUTCOME_WIDTH - NAME_WIDTH - 2 * GAP, 0);
  const gap = ' '.repeat(GAP);
  const brief = (check: Check): Line => {
    const text = printable(check.ok === 'not-run' ? (check.detail ?? '') : dated(check.actual));
    const cut = text.length > room ? `${text.slice(0, Math.max(room - 3, 0))}...` : text;
    return [outcome(check), gap, check.name.padEnd(NAME_WIDTH), gap, cut];
  };
  return [
    ...verdict.checks.flatMap((check) => (check.ok === false ? stacked(check, width) : [brief(check)])),
    ...lastLines(verdict, width),
  ];
}
