import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { verify } from '../../verify/verify.ts';
import { FORGERIES } from '../support/tables/forgeries.ts';
import { makeVector, openVector, type Vector } from '../support/vector.ts';

const folder = new URL('../vectors/evidence/', import.meta.url);
const read = (name: string) => readFileSync(new URL(`${name}.json`, folder), 'utf8');
const names = readdirSync(folder).map((file) => file.replace(/\.json$/, ''));

describe('published vectors', () => {
  test('are those of the table, made by tools/make-vectors.ts', () => {
    expect(names.toSorted()).toEqual(Object.keys(FORGERIES).toSorted());
    for (const [name, forgery] of Object.entries(FORGERIES))
      expect(JSON.parse(read(name)), name).toEqual(JSON.parse(JSON.stringify(makeVector(forgery))));
  });

  test.each(names)('%s ends as it says', (name) => {
    const vector: Vector = JSON.parse(read(name));
    const { bundle, policy, context } = openVector(vector);
    const verdict = bundle && verify(bundle, policy, context);
    const outcome = verdict ? verdict.code : 'bundle-malformed';
    expect(outcome).toBe(vector.expected?.code);
    if (verdict) expect(verdict.checks.find(({ ok }) => ok === false)?.name).toBe(vector.expected?.check);
  });
});
