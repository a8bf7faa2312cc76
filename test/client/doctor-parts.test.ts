import { expect, test } from 'vitest';
import { differences } from '../../client/command/doctor/differences.ts';
import { attempt } from '../../client/command/doctor/read.ts';
import { releaseObjects } from '../../client/command/doctor/release-objects.ts';
import { outcomeOf, reportLines, summaryOf } from '../../client/command/doctor/report.ts';
import { KubeError } from '../../platform/kube/kube-error.ts';

test('a question has an answer or a reason, and never takes longer than its limit', async () => {
  expect(await attempt(async () => 7)).toEqual({ ok: true, value: 7 });
  const slow = await attempt(() => new Promise(() => undefined), 20);
  expect(slow).toEqual({ ok: false, reason: 'too-slow', message: 'no answer within 0.02 s' });
  const refused = (status: number) =>
    attempt(() => Promise.reject(new KubeError(status, '', `HTTP ${status}`)));
  expect(await refused(403)).toMatchObject({ reason: 'forbidden', message: 'HTTP 403' });
  expect(await refused(404)).toMatchObject({ reason: 'not-served' });
  expect(await refused(500)).toMatchObject({ reason: 'failed' });
});

test('a release elsewhere names its own namespace, wherever the chart names it', () => {
  const text = JSON.stringify(releaseObjects('elsewhere'));
  expect(text).not.toContain('system:serviceaccount:enclave-licensing:');
  expect(text).not.toContain('"namespace":"enclave-licensing"');
  expect(text).not.toContain('["enclave-licensing","kube-system"]');
  expect(text).toContain('system:serviceaccount:elsewhere:enclave-launcher');
  expect(text).toContain('["elsewhere","kube-system"]');
  // What merely has the same text stays: the webhook configurations' own name.
  expect(text).toContain('"kind":"MutatingWebhookConfiguration","metadata":{"name":"enclave-licensing"}');
});

test('what is compared: every member, but for what an API server fills in', () => {
  const wanted = { rules: [{ operations: ['CREATE'] }], failurePolicy: 'Fail' };
  expect(differences(wanted, { ...wanted, matchPolicy: 'Equivalent', objectSelector: {} })).toEqual([]);
  expect(differences(wanted, { ...wanted, failurePolicy: 'Ignore' })).toEqual(['failurePolicy']);
  expect(differences(wanted, { ...wanted, matchPolicy: 'Exact' })).toEqual(['matchPolicy']);
  expect(differences(wanted, { ...wanted, objectSelector: { matchLabels: { a: 'b' } } })).toEqual([
    'objectSelector',
  ]);
  expect(differences(wanted, { ...wanted, excludeResourceRules: [{}] })).toEqual(['excludeResourceRules']);
  expect(differences(wanted, { failurePolicy: 'Fail' })).toEqual(['rules']);
  expect(differences(wanted, { ...wanted, rules: [{ operations: ['CREATE', 'UPDATE'] }] })).toEqual([
    'rules[0].operations',
  ]);
  expect(differences([{ caBundle: 'a' }], [{ caBundle: 'b' }], ['caBundle'])).toEqual([]);
});

test('the report: a line a check, and what was found below it, as wide as the terminal', () => {
  const finding = {
    severity: 'problem',
    code: 'agent-missing',
    about: 'node n1',
    what: 'no agent runs there',
    why: 'An enclave that is scheduled there never starts.',
    remedy: 'kubectl describe daemonset enclave-agent',
  } as const;
  const sound = { check: 'roots', seen: 'fingerprint 00', findings: [], unread: [] } as const;
  const broken = { check: 'agents', seen: '', findings: [finding], unread: ['pods: forbidden'] } as const;
  const text = (lines: ReturnType<typeof reportLines>): string =>
    lines
      .map((line) =>
        [line]
          .flat()
          .map((part) => (typeof part === 'string' ? part : part.text))
          .join(''),
      )
      .join('\n');
  expect(text(reportLines([sound, broken], 100))).toBe(
    [
      'ok  roots   fingerprint 00',
      'NO  agents  1 problem, 1 could not be looked at',
      '    node n1 (agent-missing)',
      '    no agent runs there',
      '    An enclave that is scheduled there never starts.',
      '    -> kubectl describe daemonset enclave-agent',
      '    not looked at: pods: forbidden',
      '1 problem, 1 could not be looked at',
    ].join('\n'),
  );
  expect(outcomeOf([sound])).toBe('ok');
  expect(outcomeOf([sound, { ...broken, findings: [] }])).toBe('warning');
  expect(outcomeOf([sound, broken])).toBe('problem');
  expect(summaryOf([sound])).toBe('');
});
