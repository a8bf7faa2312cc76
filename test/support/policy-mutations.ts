import fc from 'fast-check';
import { formatPolicy } from '../../verify/policy/format-policy.ts';
import { FIXTURE_POLICY } from './evidence.ts';

const hex = 'ab'.repeat(32);
const set = (values: object) => ({ accept: 'listed', hash: 'sha256', sets: [{ name: 'one', values }] });
const FULL = {
  ...formatPolicy(FIXTURE_POLICY),
  allowEmulatedTpm: true,
  pcrs: set({ 0: [hex, 'cd'.repeat(32)], 7: ['any'] }),
  roots: [hex],
};

/** What becomes of one place: another value, none at all, or another name. */
type Change = { readonly value: unknown } | { readonly name: string };

function changed(value: unknown, path: readonly number[], change: Change): unknown {
  const [step, ...rest] = path;
  if (step === undefined || typeof value !== 'object' || value === null)
    return 'value' in change ? change.value : value;
  const entries = Object.entries(value);
  const at = entries.length === 0 ? 0 : step % entries.length;
  const [key, member] = entries[at] ?? ['extra', undefined];
  const last = rest.length === 0;
  const made: [string, unknown][] =
    last && 'name' in change
      ? [[change.name, member]]
      : last && 'value' in change && change.value === undefined
        ? []
        : [[key, changed(member, rest, change)]];
  const all = entries.toSpliced(at, 1, ...made);
  return Array.isArray(value) ? all.map(([, each]) => each) : Object.fromEntries(all);
}

const values = fc.oneof(
  fc.constantFrom(
    ...[undefined, 'any', ['any'], ['any', 'any'], [], {}, hex, [hex], hex.slice(1), 'ab'.repeat(48), 0],
    ...['sha256', 'sha384', 'listed', 'tcp', `sha256:${hex}`, 1.5, 86_401, true, { accept: 'any' }, null],
    ...[set({ 15: ['any'] }), set({ 16: ['any'] }), set({ '00': [hex] }), '\u00e4', 'a\n', ' a', ['team']],
    ...[Array(256).fill(hex), Array(257).fill(hex), Array(65).fill(hex), 'a'.repeat(253), 'a'.repeat(254)],
  ),
  fc.jsonValue({ maxDepth: 3 }),
);
const names = fc.constantFrom(
  'eks',
  'any',
  '1',
  '15',
  '16',
  '01',
  'hash',
  'name',
  'constructor',
  '__proto__',
  '',
);
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: values.map((value) => ({ value })) },
  { weight: 1, arbitrary: names.map((name) => ({ name })) },
);
const path = fc.array(fc.nat(20), { minLength: 1, maxLength: 6 });

/** A policy as a file holds it, with one place or two changed; some are still policies. */
export const mutatedPolicies: fc.Arbitrary<unknown> = fc
  .array(fc.tuple(path, change), { minLength: 1, maxLength: 2 })
  .map((changes): unknown => {
    const made = changes.reduce((policy: unknown, [at, how]) => changed(policy, at, how), FULL);
    return JSON.parse(JSON.stringify(made) ?? 'null');
  });
