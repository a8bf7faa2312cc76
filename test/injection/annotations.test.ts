import { expect, test } from 'vitest';
import { ANNOTATION_SCHEMAS } from '../../injection/annotations.ts';
import { ANNOTATIONS, INJECTED_ANNOTATION, LABEL_PREFIX } from '../../names/labels.ts';
import { markdownTable, quoted } from '../support/markdown-table.ts';
import { goldenDecision, goldenPods } from './golden-pods.ts';

const [, ...rows] = markdownTable('docs/injection.md', 'Annotations');
const decisions = goldenPods().map((golden) => ({ ...golden, decision: goldenDecision(golden) }));
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
    const told = decisions
      .filter(({ name }) => name.startsWith('refused-annotation-'))
      .some(({ pod, decision }) => {
        const value = pod.metadata?.annotations?.[ANNOTATIONS[key]] ?? '';
        return (
          !schema.accepts(value) &&
          decision.includes(`annotation ${ANNOTATIONS[key]} is ${JSON.stringify(value)}`) &&
          decision.includes(`Write ${schema.allowed}`)
        );
      });
    expect(told).toBe(true);
  },
);

const VALUES: Readonly<Record<(typeof keys)[number], { taken: string[]; refused: string[] }>> = {
  upstream: {
    taken: [
      '1',
      '65535',
      '127.0.0.1:80',
      'pod:80',
      'unix:/run/a/b',
      'unix:/tmp/a/b.sock',
      'unix:/var/run/a/b/c',
    ],
    refused: [
      '',
      '0',
      '65536',
      '080',
      '8443',
      'pod:9464',
      '0.0.0.0:80',
      'localhost:80',
      '[::1]:80',
      '127.0.0.1',
      ' 80',
      '80\n',
      'unix:app.sock',
      'unix:/run/app.sock',
      'unix:/run/../etc/x',
      'unix:/run/.a/b',
      'unix:/run/a//b',
      'unix:/run/a/',
      'unix:/run/$(X)/y',
      'unix:/run/secrets/x/s',
      'unix:/var/run/secrets/x/s',
      'unix:/usr/local/ssl/s',
      'unix:/etc/a/b',
      `unix:/run/a/${'b'.repeat(100)}`,
    ],
  },
  mode: { taken: ['tcp', 'http'], refused: ['', 'TCP', 'udp', 'tcp,http', 'tcp '] },
  auth: { taken: ['mtls', 'jwt'], refused: ['', 'none', 'mtls,jwt'] },
  keyType: { taken: ['p256', 'p384'], refused: ['', 'P256', 'rsa', 'ed25519'] },
  alpn: {
    taken: ['h2', 'h2,http/1.1', 'a,b,c,d,e,f,g,h', 'x'.repeat(64)],
    refused: [
      '',
      ',',
      'h2,',
      'h2, http/1.1',
      'h2,h2',
      'a,b,c,d,e,f,g,h,i',
      'x'.repeat(65),
      'enclave-evidence/1',
    ],
  },
  certificateLifetime: {
    taken: ['600s', '10m', '720h', '43200m'],
    refused: ['', '0', '10', '9m', '599s', '721h', '30d', '1.5h', '-1h', '1h30m', '010m', '99999999999h'],
  },
  sidecarCpu: {
    taken: ['1m', '0.001', '8', '8000m'],
    refused: ['', '0', '0.5m', '8001m', '9', '1e3', '-1', '1 '],
  },
  sidecarMemory: {
    taken: ['64Mi', '67108864', '4Gi', '100M', '4096Mi'],
    refused: ['', '63Mi', '64M', '4097Mi', '5Gi', '1', '64mi', '64MiB', '9'.repeat(400)],
  },
  ownerKey: {
    taken: ['0f'.repeat(32)],
    refused: ['', '0F'.repeat(32), '0f'.repeat(31), '0f'.repeat(33), 'x'.repeat(64)],
  },
};

test.each(keys)('%s: what is allowed, to its bounds, and nothing else', (key) => {
  const { taken, refused } = VALUES[key];
  expect(taken.filter((value) => !ANNOTATION_SCHEMAS[key].accepts(value))).toEqual([]);
  expect(refused.filter((value) => ANNOTATION_SCHEMAS[key].accepts(value))).toEqual([]);
});

test('every code of a refusal is in the document, and the document has no other', () => {
  const [, ...codes] = markdownTable('docs/injection.md', 'What is refused');
  const listed = codes.flatMap(([code = '']) => quoted(code));
  const source = decisions.map(({ decision }) => decision).join('\n');
  const golden = [...source.matchAll(/^ {2}code: (\S+)$/gm)].map(([, code]) => code);
  // These four are no word about one pod alone: another webhook, another user, or the webhook itself is wrong.
  const others = ['prefix-reserved', 'label-foreign', 'sidecar-missing', 'configuration-invalid'];
  expect(listed.sort()).toEqual([...new Set([...golden, ...others])].sort());
});
