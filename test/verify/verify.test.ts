import { describe, expect, test } from 'vitest';
import { CHECKS } from '../../verify/check-names.ts';
import type { Verdict } from '../../verify/verdict.ts';
import { verify } from '../../verify/verify.ts';
import { type Changes, fixture } from '../support/evidence.ts';
import { rsaKey } from '../support/fixture-rsa-key.ts';
import { FORGERIES } from '../support/tables/forgeries.ts';

function verdictOf(changes: Changes = {}): Verdict {
  const { bundle, policy, context } = fixture(changes);
  return verify(bundle, policy, context);
}

const failed = (verdict: Verdict) => verdict.checks.filter(({ ok }) => ok === false);

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

  test.each(Object.entries(FORGERIES))('%s', (_name, { check, code, changes }) => {
    const verdict = verdictOf(changes);
    expect(verdict.checks.map(({ name }) => name)).toEqual(Object.keys(CHECKS));
    expect(verdict.code).toBe(code);
    expect(verdict.ok).toBe(code === undefined);
    expect(failed(verdict)[0]?.name).toBe(check);
    // No other class of failure is reported beside it, so the vector tests exactly this check.
    expect(new Set(failed(verdict).map((each) => each.code)).size).toBe(code === undefined ? 0 : 1);
    for (const line of verdict.checks) if (line.ok === 'not-run') expect(line.detail).toMatch(/^not run: /);
    if (!verdict.ok) expect(verdict.remember).toBeUndefined();
  });

  test('every failure class of the checks is forged at least once', () => {
    const forged = new Set(Object.values(FORGERIES).map(({ check }) => check));
    expect(Object.keys(CHECKS).filter((name) => !forged.has(name as keyof typeof CHECKS))).toEqual([]);
  });

  test('nothing of a statement is told that no quote covers', () => {
    expect(verdictOf(FORGERIES['statement-bit']?.changes).statement).toBeUndefined();
    expect(verdictOf(FORGERIES['signed-by-another-key']?.changes).statement).toBeUndefined();
  });
});

describe('attestation keys', () => {
  const kinds = {
    'RSA 2048 RSASSA SHA-256': () => rsaKey('2048'),
    'RSA 2048 RSASSA SHA-384': () => rsaKey('2048', 'rsassa', 'sha384'),
    'RSA 2048 PSS SHA-256': () => rsaKey('2048', 'rsapss'),
    'RSA 3072 PSS SHA-384': () => rsaKey('3072', 'rsapss', 'sha384'),
  };
  test.each(Object.entries(kinds))('%s passes', (_name, key) => {
    expect(failed(verdictOf({ ak: key() }))).toEqual([]);
  });

  test('RSA 1024 is refused', () => {
    expect(verdictOf({ ak: rsaKey('1024') }).ok).toBe(false);
  });
});
