import { CHECKS, type CheckName, type Explanation, isCheckName } from '../../verify/check-names.ts';
import { usage } from '../failure.ts';
import { type Line, wrap } from './terminal/styled.ts';

/** The check of that name. @throws Failure that lists the names */
export function readCheckName(name: string): CheckName {
  if (isCheckName(name)) return name;
  throw usage(
    'check-unknown',
    `there is no check "${name.slice(0, 64)}"`,
    `checks: ${Object.keys(CHECKS).join(', ')}`,
  );
}

/** What `--json` shows of a check. */
export function explanationObject(check: CheckName): object {
  const { what, why, remedy, remedies = {} }: Explanation = CHECKS[check];
  return { check, what, why, remedy, remedies };
}

/** What a check means, why it matters, and what to do when it fails. */
export function explanationLines(check: CheckName, width: number): Line[] {
  const { what, why, remedy, remedies = {} }: Explanation = CHECKS[check];
  const paragraph = (title: string, text: string): Line[] => [
    [{ text: title, style: 'title' }],
    ...wrap(text, width - 2).map((line) => `  ${line}`),
  ];
  return [
    ...paragraph(`${check}: what it means`, what),
    ...paragraph('why it matters', why),
    ...paragraph('what to do when it fails', remedy),
    ...Object.entries(remedies).flatMap(([code, text]) => paragraph(`when it fails with ${code}`, text)),
  ];
}
