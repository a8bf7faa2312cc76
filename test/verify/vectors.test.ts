import { describe, expect, test } from 'vitest';
import { CHECKS } from '../../verify/check-names.ts';
import { verify } from '../../verify/verify.ts';
import { VerifyCache } from '../../verify/verify-cache.ts';
import { publishedVectors } from '../support/published-vectors.ts';
import { FORGERIES } from '../support/tables/forgeries.ts';
import { makeVector, openVector } from '../support/vector.ts';

const vectors = publishedVectors();
const cache = new VerifyCache();
/** What has to hold before a statement is read, and its own check. */
const BEFORE_THE_STATEMENT = new Set([
  'bundle-shape',
  'batch-proof',
  'qualifying-data',
  'quote-signature',
  'attestation-key',
  'qualified-signer',
  'attestation-key-chain',
  'statement',
]);

describe('published vectors', () => {
  test('are those of the tables, made by tools/make-vectors.ts', () => {
    expect([...vectors.keys()].toSorted()).toEqual(Object.keys(FORGERIES).toSorted());
    for (const [name, forgery] of Object.entries(FORGERIES))
      expect(vectors.get(name), name).toEqual(JSON.parse(JSON.stringify(makeVector(forgery))));
  });

  test.each([...vectors])('%s ends as it says', (_name, vector) => {
    const { bundle, policy, context } = openVector(vector);
    if (!bundle) {
      // Its reading refused it already.
      expect(vector.expected).toEqual({ check: 'bundle-shape', code: 'bundle-malformed' });
      return;
    }
    const verdict = verify(bundle, policy, context);
    expect(verdict.checks.map(({ name }) => name)).toEqual(Object.keys(CHECKS));
    // Exactly this check fails: the vector would pass if it were not there.
    const failed = verdict.checks.filter(({ ok }) => ok === false);
    expect(failed.map(({ name: check, code }) => ({ check, code }))).toEqual(
      vector.expected ? [vector.expected] : [],
    );
    expect(verdict.ok).toBe(vector.expected === null);
    expect(verdict.remember === undefined).toBe(vector.expected !== null);
    // Nothing is told of a statement that no accepted key signed.
    expect(verdict.statement === undefined).toBe(BEFORE_THE_STATEMENT.has(vector.expected?.check ?? ''));
    // Nothing that was remembered of all the others changes it, nor what was remembered of itself.
    for (const _ of [1, 2]) expect(verify(bundle, policy, { ...context, cache })).toEqual(verdict);
    for (const { ok, detail } of verdict.checks) if (ok === 'not-run') expect(detail).toMatch(/^not run: /);
  });
});
