import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { runEnclavectl } from '../../client/command/run-enclavectl.ts';
import { briefLines, verdictLines } from '../../client/command/terminal/print-verdict.ts';
import { styled } from '../../client/command/terminal/styled.ts';
import { bundleToJson } from '../../formats/evidence/bundle.ts';
import { rootsToJson } from '../../formats/evidence/roots.ts';
import { CHECKS, type Explanation, remedyOf } from '../../verify/check-names.ts';
import { formatPolicy } from '../../verify/policy/format-policy.ts';
import type { Verdict } from '../../verify/verdict.ts';
import { verify } from '../../verify/verify.ts';
import type { VerifyCode } from '../../verify/verify-code.ts';
import { type Changes, FIXTURE_POLICY, fixture } from '../support/evidence.ts';
import { FIXTURE_NOW, fixtureRoots } from '../support/fixture-certificates.ts';
import { FORGERIES } from '../support/tables/forgeries.ts';

const home = mkdtempSync(join(tmpdir(), 'verdict-'));
afterAll(() => rmSync(home, { recursive: true }));
function file(name: string, content: string): string {
  writeFileSync(join(home, name), content);
  return join(home, name);
}
const policy = file('policy.json', JSON.stringify(formatPolicy(FIXTURE_POLICY)));
const roots = file('roots.json', rootsToJson(fixtureRoots()));
const good = file('good.json', bundleToJson(fixture().bundle));

async function run(
  argv: readonly string[],
  terminal?: { readonly columns: number },
  environment: Readonly<Record<string, string>> = {},
): Promise<{ exit: number; out: string; err: string }> {
  const stream = () => Object.assign(new PassThrough(), terminal && { isTTY: true, ...terminal });
  const [out, err] = [stream(), stream()];
  const exit = await runEnclavectl({
    argv,
    environment,
    home,
    streams: { out, err },
    stdin: new PassThrough() as unknown as NodeJS.ReadStream,
    signal: new AbortController().signal,
    now: () => FIXTURE_NOW,
  });
  return { exit, out: String(out.read() ?? ''), err: String(err.read() ?? '') };
}
const verifying = (bundle: string) => ['verify', bundle, '--policy', policy, '--ca', roots];

function verdictOf(changes: Changes): Verdict {
  const { bundle, policy: accepted, context } = fixture(changes);
  return verify(bundle, accepted, context);
}
const plain = (verdict: Verdict, width: number) =>
  verdictLines(verdict, width).map((line) => styled(line, false).trimEnd());

const verdicts = [
  'good',
  'attest-bit',
  'nonce-replayed',
  'pcr-values-of-other-firmware',
  'grant-expired',
].map((name) => verdictOf(FORGERIES[name]?.changes ?? {}));

describe('the table', () => {
  test.each([40, 64, 80, 100, 200])('shows every check in full within %i columns', (width) => {
    for (const verdict of verdicts) {
      const lines = plain(verdict, width);
      expect(lines.filter((line) => line.length > width)).toEqual([]);
      const text = lines.join('').replace(/\s/g, '');
      for (const { name } of verdict.checks) expect(text).toContain(name);
      expect(text).toContain(verdict.ok ? 'verdict:good' : `verdict:REFUSED,${verdict.code}`);
    }
  });

  test('names outcome, check, expected and found, and says where they are the same', () => {
    const lines = plain(verdictOf(FORGERIES['namespace-of-another-team']?.changes ?? {}), 80);
    expect(lines[0]).toMatch(/^ +CHECK +EXPECTED +FOUND$/);
    expect(lines).toContainEqual(expect.stringMatching(/^NO {2}namespace +other +team$/));
    expect(lines).toContainEqual(expect.stringMatching(/^ok {2}service-account +default +the same$/));
    expect(lines).toContainEqual(expect.stringMatching(/^-- {2}pcr-values /));
  });

  test('in brief: one line a check, in full where one failed', () => {
    const verdict = verdictOf(FORGERIES['pcr-values-of-other-firmware']?.changes ?? {});
    const lines = briefLines(verdict, 72).map((line) => styled(line, false));
    expect(lines.filter((line) => line.length > 72)).toEqual([]);
    expect(lines).toHaveLength(verdict.checks.length + 3);
    expect(lines.join('\n')).toMatch(
      /^NO {2}pcr-values\n {4}expected .*firmware 1\n {4}found firmware 1: PCR 0, /m,
    );
    expect(lines.join('\n')).toMatch(/^ok {2}images .*\.\.\.$/m);
  });

  test('tells times as dates', () => {
    const text = plain(verdictOf({}), 200).join('\n');
    expect(text).toMatch(/^ok {2}certificate-chain .*valid at 2026-11-22T00:00:00Z +valid until 2026-/m);
    expect(text).not.toContain(`${FIXTURE_NOW}`);
  });

  test('what evidence says of itself cannot pass for a line of the table', () => {
    const verdict = verdictOf({});
    const evil = '\u001b[2J\r\nok  everything '.repeat(3);
    const checks = verdict.checks.map((check) => ({ ...check, expected: evil, actual: evil, detail: evil }));
    for (const width of [40, 80]) {
      const lines = plain({ ...verdict, checks }, width);
      expect(lines.join('')).not.toContain('\u001b');
      expect(lines.filter((line) => /^ok +everything/.test(line))).toEqual([]);
    }
  });
});

describe('enclavectl verify', () => {
  test('wraps to the terminal, in colours; without a terminal, or with NO_COLOR, in none', async () => {
    const seen = await run(verifying(good), { columns: 72 });
    expect(seen, seen.err).toMatchObject({ exit: 0 });
    expect(seen.out).toContain('\u001b[32mok\u001b[39m');
    const lines = stripVTControlCharacters(seen.out).split('\n');
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(72);
    for (const without of [
      await run(verifying(good)),
      await run(verifying(good), { columns: 72 }, { NO_COLOR: '1' }),
      await run(verifying(good), { columns: 72 }, { TERM: 'dumb' }),
    ]) {
      expect(without.exit).toBe(0);
      expect(without.out).not.toContain('\u001b');
    }
    expect((await run(verifying(good), { columns: 72 }, { NO_COLOR: '' })).out).toContain('\u001b[32m');
  });

  test('a refused bundle: exit 1, and what to do', async () => {
    const narrow = file(
      'narrow.json',
      JSON.stringify(formatPolicy({ ...FIXTURE_POLICY, namespaces: ['other'] })),
    );
    const refused = await run(['verify', good, '--policy', narrow, '--ca', roots]);
    expect(refused.exit).toBe(1);
    expect(refused.err).toContain(remedyOf('namespace', 'namespace-refused'));
    const json = JSON.parse((await run(['verify', good, '--policy', narrow, '--ca', roots, '--json'])).out);
    expect(json).toMatchObject({ ok: false, code: 'namespace-refused' });
    expect(json.checks).toHaveLength(Object.keys(CHECKS).length);
  });
});

describe('--explain', () => {
  test.each(Object.keys(CHECKS))(
    '%s: what, why and remedy, without bundle, policy or roots',
    async (name) => {
      const { exit, out } = await run(['verify', '--explain', name]);
      expect(exit).toBe(0);
      const { what, why, remedy }: Explanation = CHECKS[name as keyof typeof CHECKS];
      const text = out.replace(/\s+/g, ' ');
      for (const part of [what, why, remedy]) expect(text).toContain(part);
      expect(JSON.parse((await run(['verify', '--explain', name, '--json'])).out)).toMatchObject({
        ok: true,
        check: name,
        what,
        why,
        remedy,
      });
    },
  );

  test('beside a bundle, and of no check', async () => {
    const { exit, out } = await run([...verifying(good), '--explain', 'nonce']);
    expect(exit).toBe(0);
    expect(out).toContain('verdict: good');
    expect(out).toContain(CHECKS.nonce.what);
    const unknown = await run(['verify', '--explain', 'constructor']);
    expect(unknown.exit).toBe(2);
    for (const name of Object.keys(CHECKS)) expect(unknown.err).toContain(name);
    expect(await run(['verify'])).toMatchObject({ exit: 2, err: expect.stringContaining('bundle-missing') });
  });

  test('a remedy for a failure class belongs to the check that fails so', () => {
    const checksOf = Map.groupBy(Object.values(FORGERIES), ({ code }) => code);
    for (const [name, { remedies = {} }] of Object.entries<Explanation>(CHECKS))
      for (const code of Object.keys(remedies)) {
        const checks = (checksOf.get(code as VerifyCode) ?? []).map(({ check }) => check);
        // Either chain can fail in each way.
        if (code.startsWith('chain-')) continue;
        expect(checks.length === 0 || checks.some((check) => check === name), `${name} ${code}`).toBe(true);
      }
  });
});
