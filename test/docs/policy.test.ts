import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { MEMBERS } from '../../client/command/policy/policy-members.ts';
import { parsePolicy } from '../../verify/policy/parse-policy.ts';

const page = readFileSync(new URL('../../docs/policy.md', import.meta.url), 'utf8');

test('the example is a policy', () => {
  const [, example = ''] = /```yaml\n(.*?)```/s.exec(page) ?? [];
  const parsed = parsePolicy(parse(example));
  expect(parsed).toMatchObject({ ok: true });
  expect(Object.keys(parse(example))).toEqual(Object.keys(MEMBERS));
});

test('every member is told in the words of the command', () => {
  for (const [member, { pins, source }] of Object.entries(MEMBERS))
    expect(page).toContain(`| \`${member}\` | ${pins} | ${source.replaceAll('|', '\\|')} |`);
});
