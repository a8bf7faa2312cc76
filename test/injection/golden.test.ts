import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { DECISION, decideGolden, GOLDEN_FOLDER, goldenDecision, goldenPods } from './golden-pods.ts';

const pods = goldenPods();

/** Pod in, decision out. `node tools/make-golden.ts` writes the decisions anew; a person reads the difference. */
test.each(pods.map((golden) => [golden.name, golden] as const))('%s', (name, golden) => {
  expect(goldenDecision(golden)).toBe(readFileSync(new URL(`${name}${DECISION}`, GOLDEN_FOLDER), 'utf8'));
});

test('the names say what happens, and no decision is left of a pod that is gone', () => {
  const refused = pods.filter((golden) => !decideGolden(golden).ok).map(({ name }) => name);
  expect(refused).toEqual(pods.map(({ name }) => name).filter((name) => name.startsWith('refused-')));
  const decisions = readdirSync(GOLDEN_FOLDER).filter((file) => file.endsWith(DECISION));
  expect(decisions.sort()).toEqual(pods.map(({ name }) => `${name}${DECISION}`).sort());
});
