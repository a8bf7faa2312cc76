import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { TPM_FAILURE_KINDS } from '../../agent/attestation/tpm-failure.ts';
import { STATUS_OF_CODE } from '../../agent/code.ts';
import { LAUNCH_REMEDIES } from '../../licensing/codes/launch-code.ts';
import { unionOf } from '../support/union-of.ts';

/** What an operator may read in a log, a condition or a metric's label stands on the component's page, with what helps. */

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
  ['docs/agent.md', TPM_FAILURE_KINDS],
  ['docs/certs.md', unionOf('certs/code.ts', 'CertsCode')],
  ['docs/licensing.md', Object.keys(LAUNCH_REMEDIES)],
  ['docs/licensing.md', unionOf('licensing/front/front-refusal.ts', 'FrontCode')],
])('%s: every code is in a table', (page, codes) => {
  expect(codes.length).toBeGreaterThan(10);
  const cells = [...readFileSync(page, 'utf8').matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([a-z-]+)`/g)].map(([, code = '']) => code),
  );
  expect(codes.filter((code) => !cells.includes(code))).toEqual([]);
});
