import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { STATUS_OF_CODE } from '../../agent/code.ts';
import { LAUNCH_REMEDIES } from '../../licensing/codes/launch-code.ts';

/** What an operator may read in a log, a condition or a metric's label stands on the component's page, with what helps. */

/** The members of a closed union of codes in a source file. */
function unionOf(file: string, name: string): string[] {
  const [, body = ''] =
    new RegExp(`export type ${name} =\\n(.*?);\\n`, 's').exec(readFileSync(file, 'utf8')) ?? [];
  return [...body.matchAll(/^ {2}\| '([a-z-]+)'/gm)].map(([, code = '']) => code);
}

test('docs/sidecar.md: the outcomes of evidence are those that are counted', () => {
  const [, table = ''] = readFileSync('docs/sidecar.md', 'utf8').split('| outcome | what |\n|---|---|\n');
  const [rows = ''] = table.split('\n\n');
  const said = [...rows.matchAll(/^\| `(\w+)` \|/gm)].map(([, outcome]) => outcome);
  const counted = unionOf('sidecar/serve/evidence-endpoint.ts', 'EvidenceOutcome');
  expect(counted.length).toBeGreaterThan(5);
  expect(said.toSorted()).toEqual(counted.toSorted());
});

test.each([
  ['docs/agent.md', Object.keys(STATUS_OF_CODE)],
  ['docs/certs.md', unionOf('certs/code.ts', 'CertsCode')],
  ['docs/licensing.md', Object.keys(LAUNCH_REMEDIES)],
  ['docs/licensing.md', unionOf('licensing/front/front-refusal.ts', 'FrontCode')],
])('%s: every code is in a table', (page, codes) => {
  expect(codes.length).toBeGreaterThan(15);
  const cells = [...readFileSync(page, 'utf8').matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([a-z-]+)`/g)].map(([, code = '']) => code),
  );
  expect(codes.filter((code) => !cells.includes(code))).toEqual([]);
});
