import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { formatPolicy } from '../../verify/policy/format-policy.ts';
import { parsePolicy } from '../../verify/policy/parse-policy.ts';
import { FIXTURE_POLICY } from '../support/evidence.ts';

const schema = JSON.parse(readFileSync(new URL('../../verify/policy/schema.json', import.meta.url), 'utf8'));
const fits = new Ajv2020({ strict: true, allErrors: true }).compile(schema);
const hex = 'ab'.repeat(32);
const good = formatPolicy(FIXTURE_POLICY);
const set = (values: object) => ({ hash: 'sha256', sets: [{ name: 'one', values }] });

describe('policy', () => {
  test('goes there and back', () => {
    expect(parsePolicy(good)).toEqual({ ok: true, value: FIXTURE_POLICY });
    const withPcrs = { ...good, pcrs: set({ 0: [hex], 7: 'any' }) };
    const parsed = parsePolicy(withPcrs);
    expect(parsed.ok && formatPolicy(parsed.value)).toEqual(withPcrs);
  });

  test('is read from YAML', () => {
    const text = Object.entries(good)
      .map(([member, value]) => `${member}: ${JSON.stringify(value)}\n`)
      .join('')
      .replace(
        'pcrs: "any"',
        `pcrs:\n  hash: sha256\n  sets:\n    - name: one\n      values:\n        0: [${hex}]\n        7: any`,
      );
    expect(parsePolicy(parse(text))).toMatchObject({ ok: true, value: { pcrs: { hash: 'sha256' } } });
  });

  const without = (member: string) =>
    Object.fromEntries(Object.entries(good).filter(([name]) => name !== member));
  const refused: [string, unknown, string][] = [
    ...Object.keys(schema.properties)
      .filter((member) => member !== 'allowEmulatedTpm')
      .map((member): [string, unknown, string] => [`no ${member}`, without(member), member]),
    ...['eks', 'namespaces', 'images', 'modes', 'upstream', 'ownerKeys'].map(
      (member): [string, unknown, string] => [`an empty ${member}`, { ...good, [member]: [] }, member],
    ),
    ['an unknown member', { ...good, roots: 'any' }, 'roots'],
    ['a member of the prototype', { ...good, constructor: 'any' }, 'constructor'],
    ['another word than any', { ...good, namespaces: 'all' }, 'namespaces'],
    ['an image by tag', { ...good, images: ['app:latest'] }, 'images[0]'],
    ['a hash in upper case', { ...good, specSha256: [hex.toUpperCase()] }, 'specSha256[0]'],
    ['an age of nothing', { ...good, maxAge: 0 }, 'maxAge'],
    ['an age as text', { ...good, maxAge: '300' }, 'maxAge'],
    ['a yes', { ...good, allowEmulatedTpm: 'true' }, 'allowEmulatedTpm'],
    ['no PCR sets', { ...good, pcrs: { hash: 'sha256', sets: [] } }, 'pcrs.sets'],
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
      { ...good, pcrs: set({ 0: [hex], 15: 'any' }) },
      without('allowEmulatedTpm'),
      { ...good, images: [`sha256:${hex}`] },
    ]) {
      expect(parsePolicy(value).ok).toBe(true);
      expect(fits(value), JSON.stringify(fits.errors)).toBe(true);
    }
  });

  test('any other value is refused by both, and none throws', () => {
    const member = fc.constantFrom(...Object.keys(schema.properties));
    fc.assert(
      fc.property(member, fc.jsonValue({ maxDepth: 3 }), (name, value) => {
        const changed = { ...good, [name]: value };
        expect(parsePolicy(changed).ok).toBe(fits(changed));
      }),
      { numRuns: 300 },
    );
  });

  test('sets that name different PCRs are refused: no quote could fit both', () => {
    const sets = [
      { name: 'one', values: { 0: [hex] } },
      { name: 'two', values: { 1: [hex] } },
    ];
    expect(parsePolicy({ ...good, pcrs: { hash: 'sha256', sets } }).ok).toBe(false);
  });
});
