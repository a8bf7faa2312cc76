import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { formatPolicy } from '../../verify/policy/format-policy.ts';
import { parsePolicy } from '../../verify/policy/parse-policy.ts';
import { FIXTURE_POLICY } from '../support/evidence.ts';
import { mutatedPolicies } from '../support/policy-mutations.ts';

const schema = JSON.parse(readFileSync(new URL('../../verify/policy/schema.json', import.meta.url), 'utf8'));
const fits = new Ajv2020({
  strict: true,
  // As a structural schema wants it, types stand outside of oneOf and anyOf only.
  strictTypes: false,
  allErrors: true,
  keywords: ['x-kubernetes-validations'],
}).compile(schema);
const hex = 'ab'.repeat(32);
const good = formatPolicy(FIXTURE_POLICY);
const set = (values: object) => ({ accept: 'listed', hash: 'sha256', sets: [{ name: 'one', values }] });
const LISTS = Object.keys(schema.properties).filter(
  (name) => !['allowEmulatedTpm', 'pcrs', 'maxAge'].includes(name),
);

describe('policy', () => {
  test('goes there and back', () => {
    expect(parsePolicy(good)).toEqual({ ok: true, value: FIXTURE_POLICY });
    const withPcrs = { ...good, pcrs: set({ 0: [hex], 7: ['any'] }) };
    const parsed = parsePolicy(withPcrs);
    expect(parsed.ok && formatPolicy(parsed.value)).toEqual(withPcrs);
  });

  test('is read from YAML', () => {
    const text = Object.entries(good)
      .map(([member, value]) => `${member}: ${JSON.stringify(value)}\n`)
      .join('')
      .replace(
        'pcrs: {"accept":"any"}',
        `pcrs:\n  accept: listed\n  hash: sha256\n  sets:\n    - name: one\n      values:\n        0: [${hex}]\n        7: [any]`,
      );
    expect(parsePolicy(parse(text))).toMatchObject({ ok: true, value: { pcrs: { hash: 'sha256' } } });
  });

  const without = (member: string) =>
    Object.fromEntries(Object.entries(good).filter(([name]) => name !== member));
  const refused: [string, unknown, string][] = [
    ...Object.keys(schema.properties)
      .filter((member) => member !== 'allowEmulatedTpm')
      .map((member): [string, unknown, string] => [`no ${member}`, without(member), member]),
    ...LISTS.flatMap((member): [string, unknown, string][] => [
      [`an empty ${member}`, { ...good, [member]: [] }, member],
      [`the word any for ${member}, without a list`, { ...good, [member]: 'any' }, member],
      [
        `any beside another value of ${member}`,
        { ...good, [member]: ['any', ...[good[member]].flat()] },
        member,
      ],
      [`any twice for ${member}`, { ...good, [member]: ['any', 'any'] }, member],
    ]),
    ['an unknown member', { ...good, root: ['any'] }, 'root'],
    ['a member of the prototype', { ...good, constructor: 'any' }, 'constructor'],
    ['a word in capitals', { ...good, namespaces: ['Any'] }, 'namespaces[0]'],
    ['PCRs as a word', { ...good, pcrs: 'any' }, 'pcrs'],
    ['PCRs that do not say what is accepted', { ...good, pcrs: {} }, 'pcrs.accept'],
    ['PCRs of another word', { ...good, pcrs: { accept: 'all' } }, 'pcrs.accept'],
    ['any PCRs, and sets beside it', { ...good, pcrs: { ...set({ 0: [hex] }), accept: 'any' } }, 'pcrs.hash'],
    ['listed PCRs without a list', { ...good, pcrs: { accept: 'listed', hash: 'sha256' } }, 'pcrs.sets'],
    ['no value of a PCR', { ...good, pcrs: set({ 0: [] }) }, 'pcrs.sets[0].values.0'],
    ['65 digests', { ...good, pcrs: set({ 0: Array(65).fill(hex) }) }, 'pcrs.sets[0].values.0'],
    [
      '33 sets',
      { ...good, pcrs: { ...set({}), sets: Array(33).fill({ name: 'a', values: { 0: [hex] } }) } },
      'pcrs.sets',
    ],
    ['any beside a digest', { ...good, pcrs: set({ 0: ['any', hex] }) }, 'pcrs.sets[0].values.0'],
    ['an image by tag', { ...good, images: ['app:latest'] }, 'images[0]'],
    ['a hash in upper case', { ...good, specSha256: [hex.toUpperCase()] }, 'specSha256[0]'],
    ['an age of nothing', { ...good, maxAge: 0 }, 'maxAge'],
    ['an age as text', { ...good, maxAge: '300' }, 'maxAge'],
    ['a yes', { ...good, allowEmulatedTpm: 'true' }, 'allowEmulatedTpm'],
    ['no PCR sets', { ...good, pcrs: { accept: 'listed', hash: 'sha256', sets: [] } }, 'pcrs.sets'],
    ['a set without values', { ...good, pcrs: set({}) }, 'pcrs.sets[0].values'],
    ['a resettable PCR', { ...good, pcrs: set({ 16: [hex] }) }, 'pcrs.sets[0].values.16'],
    [
      'a digest of another bank',
      { ...good, pcrs: { ...set({ 0: [hex] }), hash: 'sha384' } },
      'pcrs.sets[0].values.0[0]',
    ],
    ['a SHA-1 bank', { ...good, pcrs: { ...set({ 0: ['ab'.repeat(20)] }), hash: 'sha1' } }, 'pcrs.hash'],
    ['nothing', null, 'the document'],
    ['a list', [], 'the document'],
  ];
  test.each(refused)('%s is refused, by schema and parser alike, naming the place', (_what, value, place) => {
    const parsed = parsePolicy(value);
    expect(parsed.ok ? '' : parsed.message).toContain(`${place}: `);
    expect(fits(value)).toBe(false);
  });

  test('what the parser takes fits the schema', () => {
    for (const value of [
      good,
      { ...good, pcrs: set({ 0: [hex], 15: ['any'] }) },
      without('allowEmulatedTpm'),
      { ...good, images: [`sha256:${hex}`] },
      {
        ...good,
        pcrs: { ...set({}), sets: Array(32).fill({ name: 'a', values: { 0: Array(64).fill(hex) } }) },
      },
      { ...good, pcrs: { ...set({ 3: ['ab'.repeat(48)] }), hash: 'sha384' } },
    ]) {
      expect(parsePolicy(value).ok).toBe(true);
      expect(fits(value), JSON.stringify(fits.errors)).toBe(true);
    }
  });

  test('schema and parser take and refuse the same values, and none throws', () => {
    let taken = 0;
    fc.assert(
      fc.property(mutatedPolicies, (value) => {
        const parsed = parsePolicy(value).ok;
        taken += parsed ? 1 : 0;
        expect(parsed, JSON.stringify(value)).toBe(fits(value));
      }),
      { numRuns: 3000 },
    );
    expect(taken).toBeGreaterThan(30);
  });

  test('sets that name different PCRs are refused: no quote could fit both', () => {
    const sets = [
      { name: 'one', values: { 0: [hex] } },
      { name: 'two', values: { 1: [hex] } },
    ];
    expect(parsePolicy({ ...good, pcrs: { accept: 'listed', hash: 'sha256', sets } }).ok).toBe(false);
  });
});
