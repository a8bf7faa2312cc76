import { describe, expect, test } from 'vitest';
import { CHECKS } from '../../verify/check-names.ts';
import type { Verdict } from '../../verify/verdict.ts';
import { verify } from '../../verify/verify.ts';
import { type Changes, fixture } from '../support/evidence.ts';
import { FORGERIES } from '../support/tables/forgeries.ts';

function verdictOf(changes: Changes = {}): Verdict {
  const { bundle, policy, context } = fixture(changes);
  return verify(bundle, policy, context);
}

describe('verify', () => {
  test('lists every check, in order, and hands back what to remember', () => {
    const verdict = verdictOf();
    expect(verdict.checks.map(({ name }) => name)).toEqual(Object.keys(CHECKS));
    expect(verdict.checks.filter(({ ok }) => ok === 'not-run').map(({ name }) => name)).toEqual([
      'pcr-values',
    ]);
    expect(verdict.remember).toMatchObject({
      node: 'node-1',
      resetCount: 7,
      restartCount: 2,
      clock: 1_000_000,
    });
    expect(verdict.statement?.pod.node).toBe('node-1');
  });

  test('nothing of a statement is told that no quote covers', () => {
    expect(verdictOf(FORGERIES['statement-bit']?.changes).statement).toBeUndefined();
    expect(verdictOf(FORGERIES['signed-by-another-key']?.changes).statement).toBeUndefined();
  });
});
