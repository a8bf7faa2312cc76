import { expect, test } from 'vitest';
import { ANNOTATION_SCHEMAS } from '../../injection/annotations.ts';
import { ANNOTATIONS, INJECTED_ANNOTATION, LABEL_PREFIX } from '../../names/labels.ts';
import { markdownTable, quoted } from '../support/markdown-table.ts';
import { goldenDecision, goldenPods } from './golden-pods.ts';

const [, ...rows] = markdownTable('docs/injection.md', 'Annotations');
const keys = Object.keys(ANNOTATIONS) as (keyof typeof ANNOTATIONS)[];

test('the document lists every annotation, what is allowed and the default, in the words of the refusal', () => {
  const written = rows.map(([name, , allowed, byDefault]) => [name, allowed, byDefault]);
  const known = keys.map((key) => {
    const { allowed, default: value } = ANNOTATION_SCHEMAS[key];
    const name = ANNOTATIONS[key].slice(LABEL_PREFIX.length);
    const absent = key === 'ownerKey' ? 'required, unless `auth` is `jwt`' : 'required';
    return [`\`${name}\``, allowed, value === undefined ? absent : `\`${value}\``];
  });
  expect(written.slice(0, -1)).toEqual(known);
  expect(quoted(written.at(-1)?.[0] ?? '')).toEqual([INJECTED_ANNOTATION.slice(LABEL_PREFIX.length)]);
});

test.each(keys)(
  '%s: its default is allowed, and the refusal of a golden pod names it, its value and what is',
  (key) => {
    const schema = ANNOTATION_SCHEMAS[key];
    expect(schema.default === undefined || schema.accepts(schema.default)).toBe(true);
    const told = goldenPods()
      .filter(({ name }) => name.startsWith('refused-annotation-'))
      .some((golden) => {
        const value = golden.pod.metadata?.annotations?.[ANNOTATIONS[key]] ?? '';
        const decision = goldenDecision(golden);
        return (
          !schema.accepts(value) &&
          decision.includes(`annotation ${ANNOTATIONS[key]} is ${JSON.stringify(value)}`) &&
          decision.includes(`Write ${schema.allowed}`)
        );
      });
    expect(told).toBe(true);
  },
);

test('every code of a refusal is in the document, and the document has no other', () => {
  const [, ...codes] = markdownTable('docs/injection.md', 'What is refused');
  const listed = codes.flatMap(([code = '']) => quoted(code));
  const source = goldenPods().map(goldenDecision).join('\n');
  const golden = [...source.matchAll(/^ {2}code: (\S+)$/gm)].map(([, code]) => code);
  // These four are no word about one pod alone: another webhook, another user, or the webhook itself is wrong.
  const others = ['prefix-reserved', 'label-foreign', 'sidecar-missing', 'configuration-invalid'];
  expect(listed.sort()).toEqual([...new Set([...golden, ...others])].sort());
});
