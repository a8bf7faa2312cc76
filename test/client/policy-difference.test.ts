import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MEMBERS } from '../../client/command/policy/policy-members.ts';
import { attest } from '../../client/library/evidence/attest.ts';
import { type Observation, observe } from '../../client/library/policy/observe.ts';
import { policyDifferences } from '../../client/library/policy/policy-difference.ts';
import type { Trust } from '../../client/library/trust/trust.ts';
import { type Roots, rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import { ISSUERS } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import type { CheckName } from '../../verify/check-names.ts';
import type { Policy } from '../../verify/policy/policy.ts';
import { fixture } from '../support/evidence.ts';
import { FIXTURE_NOW, fixtureRoots } from '../support/fixture-certificates.ts';

const roots = fixtureRoots();
const text = rootsToJson(roots);
const trust: Trust = { roots, rootSets: [rootsSha256(nodeCrypto, text)], rootsTexts: [text], version: 0 };
const { bundle } = fixture();
const hex = 'ef'.repeat(32);

function seen(): Observation {
  const observed = observe(bundle, trust, FIXTURE_NOW);
  if (!observed.ok) throw new Error(observed.verdict.code);
  return observed;
}
const observed = seen();
const mine = observed.policy;
const [image = ''] = mine.images;
const pcrs = mine.pcrs === 'any' ? undefined : mine.pcrs;
const [set] = pcrs?.sets ?? [];
if (!pcrs || !set) throw new Error('no PCRs');
const other = {
  name: 'other',
  values: new Map([...set.values].map(([pcr, digests]) => [pcr, pcr === 4 ? [hex] : digests])),
};
const fewer = { name: 'fewer', values: new Map([...set.values].slice(1)) };
const open = {
  name: 'open',
  values: new Map([...other.values].map(([pcr, digests]) => [pcr, pcr === 4 ? ('any' as const) : digests])),
};

/** For each member what may stand there: what was seen, any, another value, and several. */
const list = (right: readonly string[] | 'any', wrong: string) =>
  fc.constantFrom<readonly string[] | 'any'>(
    right,
    right,
    'any',
    [wrong],
    [...right, wrong].filter((each) => each.length > 3),
  );
const policies: fc.Arbitrary<Policy> = fc.record({
  allowEmulatedTpm: fc.boolean(),
  eks: list(mine.eks, hex),
  pcrs: fc.constantFrom(
    'any' as const,
    pcrs,
    ...[[other], [fewer], [open], [other, set], [set, other]].map((sets) => ({ ...pcrs, sets })),
    { hash: 'sha384' as const, sets: [set] },
  ),
  roots: fc.oneof(list(mine.roots, hex), fc.constant([...mine.roots].slice(1))),
  namespaces: list(mine.namespaces, 'other'),
  serviceAccounts: list(mine.serviceAccounts, 'other'),
  enclaves: list(mine.enclaves, 'eother'),
  images: fc.oneof(list(mine.images, `sha256:${hex}`), fc.constant([image.slice(image.indexOf('@') + 1)])),
  specSha256: list(mine.specSha256, hex),
  modes: fc.constantFrom<Policy['modes']>(['http'], ['tcp'], 'any', ['tcp', 'http']),
  auth: fc.constantFrom<Policy['auth']>(['mtls'], ['jwt'], 'any'),
  upstream: list(mine.upstream, '8080'),
  ownerKeys: list(mine.ownerKeys, hex),
  maxAge: fc.constantFrom(1, 300),
});

test('what differs, and whether anything does, is as the verdict says', () => {
  const age = FIXTURE_NOW - observed.madeAt;
  /** Which members each check is about. */
  const about: readonly [CheckName, readonly (keyof Policy)[]][] = [
    ['certificate-chain', ['roots']],
    ['attestation-key-chain', ['roots']],
    ['tpm-trust', ['eks', 'allowEmulatedTpm']],
    ['age', ['maxAge']],
    ['pcr-selection', ['pcrs']],
    ['pcr-values', ['pcrs']],
    ['namespace', ['namespaces']],
    ['service-account', ['serviceAccounts']],
    ['enclave', ['enclaves']],
    ['images', ['images']],
    ['spec', ['specSha256']],
    ['access', ['modes', 'auth', 'upstream']],
    ['owner', ['ownerKeys']],
  ];
  fc.assert(
    fc.property(policies, (policy) => {
      const verdict = attest(bundle, { policy, trust, nonce: 'unchecked', now: FIXTURE_NOW });
      const differences = policyDifferences(policy, observed, age);
      expect(differences.map(({ member }) => member)).toEqual(Object.keys(MEMBERS));
      expect(differences.every(({ ok }) => ok)).toBe(verdict.ok);
      for (const { ok, refused } of differences) expect(refused.length === 0).toBe(ok);
      const refusing = new Set(differences.filter(({ ok }) => !ok).map(({ member }) => member));
      for (const [name, members] of about) {
        const check = verdict.checks.find((each) => each.name === name);
        if (check?.ok === false)
          expect(
            members.some((member) => refusing.has(member)),
            name,
          ).toBe(true);
      }
      for (const member of refusing) {
        const checks = about.filter(([, members]) => members.includes(member)).map(([name]) => name);
        // Or it was not reached, because an earlier one failed.
        expect(
          verdict.checks.some(({ name, ok }) => checks.includes(name) && ok !== true),
          member,
        ).toBe(true);
      }
    }),
    { numRuns: 300 },
  );
});

test('of the roots that are held only those are seen that the chains end in', () => {
  const others = fixtureRoots('another cluster');
  const both = Object.fromEntries(
    ISSUERS.map((issuer) => [issuer, [...others[issuer], ...roots[issuer]]]),
  ) as unknown as Roots;
  const seenUnder = observe(bundle, { ...trust, roots: both }, FIXTURE_NOW);
  const fingerprints = [...roots.enclaves, ...roots['attestation-keys']].map((der) =>
    Buffer.from(nodeCrypto.hash('sha256', der)).toString('hex'),
  );
  expect(seenUnder).toMatchObject({ ok: true, policy: { roots: fingerprints } });
});
