import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { MEMBERS } from '../../client/command/policy/policy-members.ts';
import { runEnclavectl } from '../../client/command/run-enclavectl.ts';
import { EnclaveStore } from '../../client/state/enclave-store.ts';
import { bundleToJson } from '../../formats/evidence/bundle.ts';
import { rootsToJson } from '../../formats/evidence/roots.ts';
import { formatPolicy } from '../../verify/policy/format-policy.ts';
import type { Accepted, Policy } from '../../verify/policy/policy.ts';
import { type Changes, FIXTURE_POLICY, fixture } from '../support/evidence.ts';
import { FIXTURE_NOW, fixtureRoots } from '../support/fixture-certificates.ts';
import { FORGERIES } from '../support/tables/forgeries.ts';

const home = mkdtempSync(join(tmpdir(), 'policy-'));
afterAll(() => rmSync(home, { recursive: true }));
let made = 0;
function file(content: string, name = `file-${++made}`): string {
  writeFileSync(join(home, name), content);
  return join(home, name);
}
const fresh = () => join(home, `policy-${++made}.yaml`);
const roots = file(rootsToJson(fixtureRoots()));
const GOOD = file(bundleToJson(fixture().bundle));
/** The bundle is another only where more than its judge changes. */
const bundleFile = (changes: Changes = {}) =>
  Object.keys(changes).every((part) => part === 'policy' || part === 'context')
    ? GOOD
    : file(bundleToJson(fixture(changes).bundle));
const policyFile = (policy: Policy) => file(JSON.stringify(formatPolicy(policy)));

async function run(...argv: string[]): Promise<{ exit: number; out: string; err: string }> {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const exit = await runEnclavectl({
    argv,
    environment: { ENCLAVECTL_CA: roots, XDG_STATE_HOME: join(home, 'state') },
    home,
    streams: { out, err },
    stdin: new PassThrough() as unknown as NodeJS.ReadStream,
    signal: new AbortController().signal,
    // Long after the bundle was made.
    now: () => FIXTURE_NOW + 40 * 86_400,
  });
  return { exit, out: String(out.read() ?? ''), err: String(err.read() ?? '') };
}
const at = ['--at', `${FIXTURE_NOW}`];

describe('policy init', () => {
  test.each(['good', 'good-p384', 'good-emulated-and-allowed'])(
    'the policy made from %s accepts it, and no other',
    async (name) => {
      const changes = FORGERIES[name]?.changes ?? {};
      const [bundle, policy] = [bundleFile(changes), fresh()];
      const said = await run('policy', 'init', '--from', bundle, policy);
      expect(said, said.err).toMatchObject({ exit: 0 });
      const verdict = await run('verify', bundle, '--policy', policy, ...at);
      expect(verdict, verdict.out).toMatchObject({ exit: 0 });
      expect((await run('policy', 'diff', bundle, '--policy', policy)).exit).toBe(0);
      const other: Changes = { statement: (s) => ({ ...s, pod: { ...s.pod, specSha256: 'ef'.repeat(32) } }) };
      const refused = await run('verify', bundleFile({ ...changes, ...other }), '--policy', policy, ...at);
      expect(refused.exit).toBe(1);
      expect(refused.out).toContain('REFUSED, spec-refused');
    },
  );

  test('every value is written out and commented with what it pins; any stands nowhere', async () => {
    const policy = fresh();
    await run('policy', 'init', '--from', bundleFile(), policy);
    const text = readFileSync(policy, 'utf8');
    for (const { pins, source } of Object.values(MEMBERS)) {
      const flowing = text.replaceAll(/\n# /g, ' ');
      expect(flowing).toContain(pins);
      expect(flowing).toContain(source);
    }
    expect(JSON.stringify(parse(text))).not.toContain('"any"');
    expect(parse(text)).toMatchObject({
      allowEmulatedTpm: false,
      namespaces: ['team'],
      pcrs: { accept: 'listed' },
    });
    expect(parse(text).roots).toHaveLength(2);
    const check = await run('policy', 'check', policy, '--json');
    expect(JSON.parse(check.out)).toMatchObject({ ok: true, warnings: [] });
  });

  test('what has to be any, or emulated, is said aloud', async () => {
    const emulated = await run(
      'policy',
      'init',
      '--from',
      bundleFile(FORGERIES['good-emulated-and-allowed']?.changes),
      fresh(),
    );
    expect(emulated.out).toContain('warning: allowEmulatedTpm: ');
    const policy = fresh();
    const jwt = bundleFile({
      statement: (s) => {
        const { ownerKeySha256: _, ...access } = s.access;
        return { ...s, access: { ...access, auth: 'jwt' } };
      },
      certificate: (f) => {
        const { ownerKeySha256: _, ...binding } = f.extensions?.enclaveBinding ?? {
          podUid: '',
          enclave: '',
          node: '',
        };
        return { ...f, extensions: { ...f.extensions, enclaveBinding: binding } };
      },
    });
    const said = await run('policy', 'init', '--from', jwt, policy);
    expect(said, said.err + said.out).toMatchObject({
      exit: 0,
      out: expect.stringContaining('warning: ownerKeys: '),
    });
    expect(readFileSync(policy, 'utf8')).toContain('# WARNING: ownerKeys: ');
    expect((await run('verify', jwt, '--policy', policy, ...at)).exit).toBe(0);
  });

  test('a namespace called any is not written down: it would accept every one', async () => {
    const changes: Changes = {
      statement: (s) => ({
        ...s,
        sub: s.sub.replace('/ns/team/', '/ns/any/'),
        pod: { ...s.pod, namespace: 'any' },
      }),
      certificate: (f) => ({
        ...f,
        extensions: {
          ...f.extensions,
          subjectAltName: {
            dns: f.extensions?.subjectAltName?.dns ?? [],
            uri: [(f.extensions?.subjectAltName?.uri[0] ?? '').replace('/ns/team/', '/ns/any/')],
          },
        },
      }),
    };
    const policy = fresh();
    const said = await run('policy', 'init', '--from', bundleFile(changes), policy);
    expect(said).toMatchObject({ exit: 2, err: expect.stringContaining('policy-inexpressible') });
    expect(() => statSync(policy)).toThrow();
  });

  test('a file that is there stays, unless forced', async () => {
    const policy = file('mine');
    const said = await run('policy', 'init', '--from', bundleFile(), policy);
    expect(said).toMatchObject({ exit: 2, err: expect.stringContaining('file-exists') });
    expect(readFileSync(policy, 'utf8')).toBe('mine');
    expect((await run('policy', 'init', '--from', bundleFile(), policy, '--force')).exit).toBe(0);
    expect(readFileSync(policy, 'utf8')).toContain('eks:');
  });

  test('from what does not hold in itself no policy is made: 1', async () => {
    for (const name of [
      'attest-bit',
      'signed-by-another-key',
      'statement-bit',
      'certificate-of-another-cluster',
    ]) {
      const policy = fresh();
      expect((await run('policy', 'init', '--from', bundleFile(FORGERIES[name]?.changes), policy)).exit).toBe(
        1,
      );
      expect(() => statSync(policy)).toThrow();
    }
  });

  test('from the bundle of an enclave that is kept here, and from nothing', async () => {
    const { bundle } = fixture({});
    new EnclaveStore(join(home, 'state', 'enclavectl')).saveBundle('eabcdefghijklmno', bundle);
    expect((await run('policy', 'init', '--from', 'eabcdefghijklmno', fresh())).exit).toBe(0);
    const said = await run('policy', 'init', '--from', 'eunknown', fresh());
    expect(said).toMatchObject({ exit: 2, err: expect.stringContaining('bundle-unknown') });
    expect((await run('policy', 'init')).exit).toBe(2);
  });
});

describe('policy check', () => {
  test('says what is any, and what follows', async () => {
    const any = Object.fromEntries(
      Object.keys(FIXTURE_POLICY).map((member) => [member, 'any']),
    ) as unknown as Policy;
    const policy = policyFile({ ...any, allowEmulatedTpm: true, maxAge: 7200 });
    const { exit, out } = await run('policy', 'check', policy);
    expect(exit).toBe(0);
    expect(out).toContain('warning: pcrs: any PCR values: a modified boot chain is accepted');
    const { warnings } = JSON.parse((await run('policy', 'check', policy, '--json')).out);
    expect(new Set(warnings.map(({ member }: { member: string }) => member))).toEqual(
      new Set(Object.keys(MEMBERS)),
    );
  });

  test('sees any within a set of PCRs, and jwt', async () => {
    const values = new Map<number, Accepted<string>>([
      [0, ['ab'.repeat(32)]],
      [7, 'any'],
    ]);
    const policy = policyFile({
      ...FIXTURE_POLICY,
      auth: ['mtls', 'jwt'],
      pcrs: { hash: 'sha256', sets: [{ name: 'new kernel', values }] },
    });
    const { out } = await run('policy', 'check', policy);
    expect(out).toContain('any value of PCR 7 in the set new kernel');
    expect(out).toContain('warning: auth: jwt');
  });

  test('a wrong policy: 2, with its place', async () => {
    const text = JSON.stringify(formatPolicy(FIXTURE_POLICY)).replace('"team"', '');
    const said = await run('policy', 'check', file(text));
    expect(said).toMatchObject({ exit: 2, err: expect.stringMatching(/file-\d+:1:\d+: namespaces: /) });
  });
});

describe('policy diff', () => {
  const policies = Object.entries(FORGERIES).filter(
    ([, { changes }]) => changes.policy !== undefined && changes.statement === undefined,
  );
  test.each(policies)('%s: rows and verdict agree', async (_name, { changes }) => {
    const { policy } = fixture(changes);
    const said = await run('policy', 'diff', bundleFile(changes), '--policy', policyFile(policy), '--json');
    const { ok, members } = JSON.parse(said.out);
    // A grant and a key of one's own are no matter of the policy.
    expect(said.exit).toBe(ok ? 0 : 1);
    expect(members.every((each: { ok: boolean }) => each.ok)).toBe(ok);
    expect(members.map(({ member }: { member: string }) => member)).toEqual(Object.keys(MEMBERS));
  });

  test('shows what the bundle has where the policy refuses', async () => {
    const changes = FORGERIES['pcr-values-of-other-firmware']?.changes ?? {};
    const { policy, bundle } = fixture(changes);
    const { exit, out } = await run('policy', 'diff', bundleFile(changes), '--policy', policyFile(policy));
    expect(exit).toBe(1);
    expect(out).toMatch(/^NO {2}pcrs /m);
    const digest = Buffer.from(bundle.pcrValues?.values[7]?.digest ?? []).toString('hex');
    const json = JSON.parse(
      (await run('policy', 'diff', bundleFile(changes), '--policy', policyFile(policy), '--json')).out,
    );
    expect(json.members[2]).toMatchObject({
      member: 'pcrs',
      refused: expect.arrayContaining([`set firmware 1: PCR 7: ${digest}`]),
    });
    expect(out).toContain('verdict: REFUSED, pcr-values-refused');
  });

  test('age counts only where a time is asked about', async () => {
    const policy = policyFile(FIXTURE_POLICY);
    expect((await run('policy', 'diff', bundleFile(), '--policy', policy)).exit).toBe(0);
    const late = await run(
      'policy',
      'diff',
      bundleFile(),
      '--policy',
      policy,
      '--at',
      `${FIXTURE_NOW + 3600}`,
    );
    expect(late).toMatchObject({ exit: 1, out: expect.stringMatching(/^NO {2}maxAge +300 +3605 s$/m) });
  });
});

describe('policy digest', () => {
  const digest = 'ab'.repeat(32);
  const profile = file(`image: registry.example/app@sha256:${digest}\nupstream: "8080"\n`);
  const image = ['--sidecar-image', `registry.example/enclave-sidecar@sha256:${digest}`];

  test('needs the enclave, its owner key and the sidecar; a profile and its place are judged', async () => {
    const refused: [string[], string][] = [
      [[...image, '--owner-key', digest], 'enclave-unknown'],
      [[...image, '--enclave', 'eother'], 'owner-key-unknown'],
      [[...image, '--enclave', 'eother', '--owner-key', roots], 'owner-key-invalid'],
      [['--enclave', 'eother', '--owner-key', digest], 'policy-missing'],
      [
        ['--enclave', 'eother', '--owner-key', digest, '--policy', policyFile(FIXTURE_POLICY)],
        'sidecar-image-unknown',
      ],
    ];
    for (const [flags, code] of refused) {
      const said = await run('policy', 'digest', profile, ...flags, '--json');
      expect({ exit: said.exit, ...JSON.parse(said.out) }, flags.join(' ')).toMatchObject({ exit: 2, code });
    }
    const flags = [...image, '--enclave', 'eother', '--owner-key', digest];
    const wrong = await run('policy', 'digest', file('image: app:latest\nupstream: "8080"\n'), ...flags);
    expect(wrong).toMatchObject({ exit: 2, err: expect.stringContaining('profile-invalid') });
    expect(await run('policy', 'digest', profile, ...flags)).toMatchObject({
      exit: 0,
      out: expect.stringMatching(/^[0-9a-f]{64}\n$/),
    });
  });
});
