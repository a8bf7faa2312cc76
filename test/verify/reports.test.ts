import { describe, expect, test } from 'vitest';
import { concat } from '../../formats/bytes/bytes.ts';
import type { VerifyContext } from '../../verify/context.ts';
import type { Verdict } from '../../verify/verdict.ts';
import { verify } from '../../verify/verify.ts';
import { type Changes, fixture } from '../support/evidence.ts';
import { ecKey } from '../support/fixture-keys.ts';
import { rsaKey } from '../support/fixture-rsa-key.ts';
import { FORGERIES } from '../support/tables/forgeries.ts';

function verdictOf(changes: Changes): Verdict {
  const { bundle, policy, context } = fixture(changes);
  return verify(bundle, policy, context);
}

/** Lines that did not hold: name, and code or why it was not run. */
function lines(verdict: Verdict): Record<string, string | undefined> {
  return Object.fromEntries(
    verdict.checks.filter(({ ok }) => ok !== true).map(({ name, code, detail }) => [name, code ?? detail]),
  );
}

describe('a defect is reported by the check whose business it is', () => {
  test('bytes that are no TPMS_ATTEST: the quote’s, and its extraData is not compared', () => {
    expect(lines(verdictOf({ bundle: (b) => ({ ...b, attest: b.attest.slice(0, 20) }) }))).toMatchObject({
      'qualifying-data': 'not run: quote-signature did not hold',
      'quote-signature': 'quote-malformed',
    });
  });

  test('a wrong magic: the quote’s, though its extraData fits', () => {
    const attestBytes = (bytes: Uint8Array) => concat(Uint8Array.of(0), bytes.slice(1));
    const verdict = verdictOf({ attestBytes });
    expect(lines(verdict)).toMatchObject({ 'quote-signature': 'quote-magic' });
    expect(verdict.checks.find(({ name }) => name === 'qualifying-data')?.ok).toBe(true);
  });

  const noKey = 'not run: attestation-key did not hold';
  const keys: Record<string, [Changes, string]> = {
    'no key': [
      { bundle: (b) => ({ ...b, attestationKeyPublic: Uint8Array.of(0, 1) }) },
      'attestation-key-malformed',
    ],
    'RSA 1024': [{ ak: rsaKey('1024') }, 'attestation-key-weak'],
    'a scheme with SHA-1': [FORGERIES['key-with-a-sha-1-scheme']?.changes ?? {}, 'attestation-key-scheme'],
  };
  test.each(Object.entries(keys))('%s: the attestation key’s', (_name, [changes, code]) => {
    expect(lines(verdictOf(changes))).toMatchObject({ 'quote-signature': noKey, 'attestation-key': code });
  });

  test('a signature in another scheme than the key’s: the quote’s', () => {
    const signer = ecKey('ak', 'p256', 'sha384');
    expect(lines(verdictOf({ signer }))).toMatchObject({ 'quote-signature': 'quote-signature' });
  });

  test('each failure class is of one check, but for those of chains', () => {
    const checks = new Map<string, Set<string>>();
    for (const { changes } of Object.values(FORGERIES))
      for (const { name, code } of verdictOf(changes).checks)
        if (code !== undefined) checks.set(code, (checks.get(code) ?? new Set()).add(name));
    const shared = [...checks].filter(([code, names]) => names.size > 1 && !code.startsWith('chain-'));
    expect(shared).toEqual([]);
  });
});

test('every line shows what was expected and what was there, unless what it depends on failed', () => {
  for (const [name, { changes }] of Object.entries(FORGERIES))
    for (const line of verdictOf(changes).checks) {
      const blocked = line.ok === 'not-run' && /^not run: [a-z-]+ did not hold$/.test(line.detail ?? '');
      expect([line.expected !== '', line.actual !== ''], `${name}: ${line.name}`).toEqual([
        !blocked,
        !blocked,
      ]);
    }
});

describe('numbers that are none are refused', () => {
  const seen = { node: 'node-1', akName: '', resetCount: 7, restartCount: 1, clock: 900_000 };
  const contexts: Record<string, [(c: VerifyContext) => VerifyContext, string]> = {
    'the time': [(c) => ({ ...c, now: Number.NaN }), 'chain-not-yet-valid'],
    'a clock that was remembered': [
      (c) => ({ ...c, seen: (c.seen ?? []).map((each) => ({ ...each, ...seen, clock: Number.NaN })) }),
      'clock-went-back',
    ],
  };
  test.each(Object.entries(contexts))('%s', (_name, [context, code]) => {
    expect(verdictOf({ context }).code).toBe(code);
  });

  test('the greatest age', () => {
    expect(verdictOf({ policy: (p) => ({ ...p, maxAge: Number.NaN }) }).code).toBe('evidence-too-old');
  });
});
