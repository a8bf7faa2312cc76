import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { Failure } from '../../client/failure.ts';
import { readPolicyFile } from '../../client/library/policy/policy-file.ts';
import { formatPolicy } from '../../verify/policy/format-policy.ts';
import { FIXTURE_POLICY } from '../support/evidence.ts';

const folder = mkdtempSync(join(tmpdir(), 'policy-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'policy.yaml');
const hex = 'ab'.repeat(32);
const yaml = stringify(formatPolicy(FIXTURE_POLICY), { lineWidth: 0 });
const json = JSON.stringify(formatPolicy(FIXTURE_POLICY), null, 2);

/** What is said of a file, without the folder. */
function said(text: string | Uint8Array): string {
  writeFileSync(file, text);
  try {
    readPolicyFile(file);
    return '';
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return `${error.code} ${error.message.replace(`${folder}/`, '')}`;
  }
}

test('YAML and JSON say the same', () => {
  for (const text of [yaml, json]) {
    writeFileSync(file, text);
    expect(readPolicyFile(file)).toEqual(FIXTURE_POLICY);
  }
});

const lineOf = (text: string, part: string) => text.slice(0, text.indexOf(part)).split('\n').length;
const sets = (values: string) =>
  yaml.replace(
    '  accept: any\n',
    `  accept: listed\n  hash: sha256\n  sets:\n    - name: one\n      values:\n${values}`,
  );

test.each<[string, string, string]>([
  ['an item', yaml.replace('- team', '- Team'), `${lineOf(yaml, '- team')}:5: namespaces[0]: `],
  ['an item of JSON', json.replace('"team"', '"Team"'), `${lineOf(json, '"team"')}:5: namespaces[0]: `],
  ['a number', yaml.replace('maxAge: 300', 'maxAge: 0'), `${lineOf(yaml, 'maxAge')}:9: maxAge: `],
  ['an empty list', yaml.replace('- http', '[]'), `${lineOf(yaml, '- http')}:3: modes: `],
  [
    'an unknown member, at its name',
    `${yaml}images2:\n  - any\n`,
    `${lineOf(`${yaml}x`, 'x\n') + 0}:1: images2: `,
  ],
  ['a missing member, where the map begins', yaml.replace('maxAge: 300\n', ''), '1:1: maxAge: '],
  [
    'a missing member of a map',
    yaml.replace('accept: any', 'hash: sha256'),
    `${lineOf(yaml, 'accept')}:3: pcrs.accept: `,
  ],
  [
    'a digest',
    sets('        0: [any]\n        7: [abc]\n'),
    `${lineOf(yaml, 'accept') + 6}:13: pcrs.sets[0].values.7[0]: `,
  ],
  [
    'a PCR, at its index',
    sets('        16: [any]\n'),
    `${lineOf(yaml, 'accept') + 5}:9: pcrs.sets[0].values.16: `,
  ],
  ['a digest that YAML takes for a number', sets(`        0: [${'0'.repeat(64)}]\n`), 'in quotes'],
  ['a number that is none', yaml.replace('maxAge: 300', 'maxAge: 3.5'), '86400 is expected'],
  ['no document', '', '1:1: the document: '],
])('file, line, column and path of %s', (_what, text, place) => {
  expect(said(text)).toContain(place.endsWith(': ') ? `policy-malformed policy.yaml:${place}` : place);
});

test.each<[string, string | Uint8Array, string]>([
  ['a member twice', `${yaml}maxAge: 60\n`, `:${yaml.split('\n').length}:1: `],
  ['a member twice in JSON', json.replace('{', '{"maxAge": 60,'), ': '],
  ['one PCR as number and as text', sets(`        0: [any]\n        "0": [${hex}]\n`), ': '],
  ['an alias', yaml.replace('- team', '&a team').replace('- default', '*a'), ': an a'],
  ['an anchor that nothing uses', yaml.replace('- team', '- &a team'), ':8: an anchor'],
  ['a tag', yaml.replace('- team', '- !!str team'), ': an anchor or a tag'],
  ['an unknown tag', yaml.replace('- team', '- !x team'), ': '],
  ['another YAML', `%YAML 1.1\n---\n${yaml}`, ':1:1: a directive'],
  ['two documents', `${yaml}---\n${yaml}`, ': '],
  ['a list as a key', `? [a]\n: b\n${yaml}`, ': a key'],
  ['what is no YAML', 'eks: [\n', ':2:1: '],
  ['no text', Uint8Array.of(0xff, 0xfe, 0xfd), ': '],
  ['too deep in brackets', `a: ${'['.repeat(100_000)}`, ': nested deeper'],
  ['too deep in lists', `${'- '.repeat(100_000)}a`, ': nested deeper'],
  [
    'too deep in maps',
    Array.from({ length: 200 }, (_, i) => `${' '.repeat(i)}a:\n`).join(''),
    ': nested deeper',
  ],
  ['too large', `#${' '.repeat(256 * 1024)}\n${yaml}`, ': over '],
])('unreadable: %s', (_what, text, place) => {
  expect(said(text)).toMatch(/^policy-unreadable policy\.yaml:/);
  expect(said(text)).toContain(place);
});
