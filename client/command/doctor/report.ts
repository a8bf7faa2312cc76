import { GAP, type Line, type Segment, wrap } from '../terminal/styled.ts';
import type { NamedResult } from './checks.ts';
import type { Finding } from './finding.ts';

export type Outcome = 'ok' | 'warning' | 'problem';

const MARKS: Readonly<Record<Outcome, Segment>> = {
  ok: { text: 'ok', style: 'good' },
  warning: { text: '!!', style: 'warning' },
  problem: { text: 'NO', style: 'bad' },
};
const INDENT = ' '.repeat(4);

/** What could not be looked at may hide anything: it counts as a warning. */
export function outcomeOf(results: readonly Omit<NamedResult, 'check'>[]): Outcome {
  if (results.some(({ findings }) => findings.some(({ severity }) => severity === 'problem')))
    return 'problem';
  return results.some(({ findings, unread }) => findings.length + unread.length > 0) ? 'warning' : 'ok';
}

/** In one line: how many of what. */
export function summaryOf(results: readonly NamedResult[]): string {
  const findings = results.flatMap((each) => each.findings);
  const count = (n: number, one: string): string[] => (n === 0 ? [] : [`${n} ${one}${n === 1 ? '' : 's'}`]);
  const problems = findings.filter(({ severity }) => severity === 'problem').length;
  const unread = new Set(results.flatMap((each) => each.unread)).size;
  return [
    ...count(problems, 'problem'),
    ...count(findings.length - problems, 'warning'),
    ...(unread === 0 ? [] : [`${unread} could not be looked at`]),
  ].join(', ');
}

/** A line a check, and below it what was found: what it is about, what is wrong, why it matters, what to do. */
export function reportLines(results: readonly NamedResult[], width: number): Line[] {
  const column = Math.max(...results.map(({ check }) => check.length));
  const gap = ' '.repeat(GAP);
  const lines = results.flatMap((result): Line[] => {
    const outcome = outcomeOf([result]);
    const seen = outcome === 'ok' ? result.seen : summaryOf([result]);
    const room = width - 2 - column - 2 * GAP;
    const [first = '', ...more] = wrap(seen, Math.max(room, 20));
    return [
      [MARKS[outcome], gap, result.check.padEnd(column), gap, first],
      ...more.map((line) => `${' '.repeat(2 + column + 2 * GAP)}${line}`),
      ...result.findings.flatMap((finding) => findingLines(finding, width)),
      ...result.unread.flatMap((line) => paragraph(`not looked at: ${line}`, width)),
    ];
  });
  const outcome = outcomeOf(results);
  const end = outcome === 'ok' ? `all ${results.length} checks are good` : summaryOf(results);
  return [...lines, [{ text: end, style: MARKS[outcome].style }]];
}

function findingLines({ severity, code, about, what, why, remedy }: Finding, width: number): Line[] {
  const mark = MARKS[severity];
  return [
    [INDENT, { text: `${about} (${code})`, style: mark.style }],
    ...[what, why, `-> ${remedy}`].flatMap((text) => paragraph(text, width)),
  ];
}

function paragraph(text: string, width: number): string[] {
  return wrap(text, Math.max(width - INDENT.length, 20)).map((line) => `${INDENT}${line}`);
}
