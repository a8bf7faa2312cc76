import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isPinned } from '../../injection/pinned-image.ts';
import { breachOfPodRules } from '../../injection/pod-rules.ts';
import { APP_IMAGE } from '../injection/support.ts';

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
