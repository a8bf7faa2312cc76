import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isPinned } from '../../injection/pinned-image.ts';
import { breachOfPodRules } from '../../injection/pod-rules.ts';
import { APP_IMAGE } from '../injection/support.ts';
import { REFUSED } from './admission-requests.ts';
import { BINDINGS, POLICIES, policyName, WARNS } from './release-policies.ts';

/** Rules that stand twice, in CEL and in the webhook, must not drift apart. */
const policies = readFileSync(
  new URL('../../charts/licensing/files/admission.yaml', import.meta.url),
  'utf8',
);

test('policy and webhook let a container add the same capabilities', () => {
  const [, listed = ''] = /in\s*\[('AUDIT_WRITE'[^\]]+)\]/.exec(policies) ?? [];
  const allowed = [...listed.matchAll(/'(\w+)'/g)].map(([, name]) => name ?? '');
  expect(allowed).toContain('CHOWN');
  const refused = [
    'ALL',
    'SYS_ADMIN',
    'SYS_MODULE',
    'SYS_PTRACE',
    'SYS_RAWIO',
    'SYS_TIME',
    'BPF',
    'CAP_CHOWN',
  ];
  const passes = (add: string): boolean =>
    breachOfPodRules({
      containers: [{ name: 'app', image: APP_IMAGE, securityContext: { capabilities: { add: [add] } } }],
    }) === undefined;
  expect([...allowed, ...refused].filter(passes)).toEqual(allowed);
});

test('what the policy takes for pinned, the webhook does', () => {
  const [, pattern = ''] = /matches\('([^']+)'\)/.exec(policies) ?? [];
  const digest = `@sha256:${'a1'.repeat(32)}`;
  const images = ['app', 'App', '-app', 'r.example:5000/a/b_c.d:v1', 'a b', 'a@b', ''].map(
    (name) => name + digest,
  );
  for (const image of [...images, 'app:1', `app${digest}0`, `app${digest.toUpperCase()}`])
    expect(new RegExp(pattern).test(image), image).toBe(isPinned(image));
});

test('every policy is in force, fails closed, tells what to do, and leaves the release and kube-system alone', () => {
  expect(POLICIES.map(({ metadata }) => metadata.name)).toEqual([
    ...Object.keys(REFUSED).map(policyName),
    WARNS,
  ]);
  expect(BINDINGS.map(({ spec }) => spec)).toEqual(
    POLICIES.map(({ metadata: { name } }) => ({
      policyName: name,
      validationActions: [name === WARNS ? 'Warn' : 'Deny'],
    })),
  );
  for (const { metadata, spec } of POLICIES) {
    expect(spec.failurePolicy).toBe(metadata.name === WARNS ? 'Ignore' : 'Fail');
    const { namespaceSelector, resourceRules } = spec.matchConstraints ?? {};
    // What stands in no namespace is selected by none.
    expect(namespaceSelector?.matchExpressions).toEqual(
      resourceRules?.every(({ scope }) => scope === 'Cluster')
        ? undefined
        : [
            {
              key: 'kubernetes.io/metadata.name',
              operator: 'NotIn',
              values: ['enclave-licensing', 'kube-system'],
            },
          ],
    );
    for (const { message, reason } of spec.validations ?? []) {
      expect(reason).toBe(metadata.name === WARNS ? undefined : 'Forbidden');
      // What is wrong, then a sentence of its own that says what to do.
      expect(message).toMatch(/. (Remove|Write|Launch|Delete|Use|Request|Rename|Debug|Talk) /);
    }
  }
});
