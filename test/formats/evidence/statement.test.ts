import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromUtf8, toUtf8 } from '../../../formats/bytes/bytes.ts';
import { formatSpiffeId, parseSpiffeId } from '../../../formats/evidence/spiffe-id.ts';
import { encodeStatement, parseStatement, type Statement } from '../../../formats/evidence/statement.ts';
import { fixture } from '../../support/evidence.ts';

const bytes = fixture().bundle.statement;
const parsed = parseStatement(bytes);
if (!parsed.ok) throw new Error(parsed.message);
const statement = parsed.value;
const { pod, access } = statement;

function codeOf(value: object): string | undefined {
  const result = parseStatement(toUtf8(JSON.stringify(value)));
  return result.ok ? undefined : result.code;
}

describe('statements', () => {
  test('go there and back to the same bytes', () => {
    expect(encodeStatement(statement)).toEqual(bytes);
  });

  test.each<[string, object]>([
    ['a nonce of 15 bytes', { ...statement, eat_nonce: 'A'.repeat(20) }],
    ['no nonce', { ...statement, eat_nonce: undefined }],
    ['a nonce in base64', { ...statement, eat_nonce: `${'A'.repeat(42)}+A` }],
    ['both confirmations', { ...statement, cnf: { ...statement.cnf, 'spki#S256': 'A'.repeat(43) } }],
    ['no confirmation', { ...statement, cnf: {} }],
    ['another confirmation', { ...statement, cnf: { jkt: 'A'.repeat(43) } }],
    [
      'a subject of another namespace',
      { ...statement, sub: statement.sub.replace('/ns/team/', '/ns/other/') },
    ],
    ['an unknown member', { ...statement, eat_x: 1 }],
    ['an unknown member of pod', { ...statement, pod: { ...pod, x: 1 } }],
    ['no image', { ...statement, pod: { ...pod, images: [] } }],
    ['a container twice', { ...statement, pod: { ...pod, images: [...pod.images, ...pod.images] } }],
    ['an image by tag', { ...statement, pod: { ...pod, images: [{ container: 'app', image: 'app:1' }] } }],
    ['a hash in upper case', { ...statement, pod: { ...pod, specSha256: pod.specSha256.toUpperCase() } }],
    ['an unknown mode', { ...statement, access: { ...access, mode: 'udp' } }],
    ['no owner key with mtls', { ...statement, access: { ...access, ownerKeySha256: undefined } }],
    ['a fraction', { ...statement, iat: 1.5 }],
    ['a time as text', { ...statement, iat: '1' }],
  ])('%s is refused', (_what, value) => {
    expect(codeOf(value)).toBe('evidence-out-of-bounds');
    expect(() => encodeStatement(value as Statement)).toThrow(RangeError);
  });

  test('no owner key is fine with jwt', () => {
    expect(
      codeOf({ ...statement, access: { ...access, auth: 'jwt', ownerKeySha256: undefined } }),
    ).toBeUndefined();
  });

  test('in the plain form they are read as in any other: edited texts, beside the same ones behind a space', () => {
    const { ownerKeySha256: _, ...jwt } = { ...access, auth: 'jwt' };
    const [image] = pod.images;
    const two = [image, { container: 'sidecar', image: `a@sha256:${'0'.repeat(64)}` }];
    const texts = [
      statement,
      { ...statement, access: jwt, cnf: { 'spki#S256': 'A'.repeat(43) } },
      { ...statement, pod: { ...pod, images: two } },
    ].map((each) => JSON.stringify(each));
    const quoted = [...new Set(texts.flatMap((text) => text.match(/"[^"]*"/g) ?? []))];
    const inserts = [
      '',
      '"',
      ',',
      '-',
      '.',
      'A',
      'B',
      '=',
      '0',
      '9',
      ' ',
      '\\n',
      '\\u0041',
      '{',
      '}',
      ']',
      '{}',
      'ü',
      '\n',
    ];
    const repeated = fc
      .tuple(fc.constantFrom('a', '0', 'A', '!'), fc.nat(700))
      .map(([one, times]) => one.repeat(times));
    const edit = fc.tuple(fc.nat(), fc.nat(2), fc.oneof(fc.constantFrom(...inserts, ...quoted), repeated));
    const edited = fc.tuple(fc.constantFrom(...texts), edit).map(([text, [at, remove, insert]]) => {
      const where = at % (text.length + 1);
      return text.slice(0, where) + insert + text.slice(where + remove);
    });
    const swapped = fc
      .tuple(
        fc.constantFrom(...texts),
        fc.nat(),
        fc.oneof(
          fc.constantFrom(...quoted),
          repeated.map((one) => `"${one}"`),
        ),
      )
      .map(([text, at, by]) => {
        const places = text.match(/"[^"]*"/g) ?? [];
        return text.replace(places[at % places.length] ?? '', () => by);
      });
    const seconds = fc
      .tuple(
        fc.constantFrom(...texts),
        fc.constantFrom('0', '01', '-1', '253402300799', '253402300800', '1e3', '1.0'),
      )
      .map(([text, iat]) => text.replace(/"iat":\d+/, `"iat":${iat}`));
    let good = 0;
    fc.assert(
      fc.property(fc.oneof(edited, swapped, seconds), (text) => {
        const [plain, spaced] = [parseStatement(toUtf8(text)), parseStatement(toUtf8(` ${text}`))];
        expect(plain.ok).toBe(spaced.ok);
        if (plain.ok && spaced.ok) expect(JSON.stringify(plain.value)).toBe(JSON.stringify(spaced.value));
        if (plain.ok) good++;
      }),
      { numRuns: 5000 },
    );
    expect(good).toBeGreaterThan(100);
  });

  test('mutations never throw', () => {
    fc.assert(
      fc.property(
        fc.nat(bytes.length - 1),
        fc.uint8Array({ maxLength: 3 }),
        fc.nat(3),
        (at, insert, remove) => {
          const mutated = Uint8Array.from([...bytes.slice(0, at), ...insert, ...bytes.slice(at + remove)]);
          const result = parseStatement(mutated);
          if (result.ok) expect(JSON.parse(fromUtf8(mutated) ?? '')).toEqual(result.value);
        },
      ),
      { numRuns: 300 },
    );
    expect(parseStatement(new Uint8Array(16_385)).ok).toBe(false);
  });
});

describe('SPIFFE IDs', () => {
  test('go there and back', () => {
    const id = { trustDomain: 'enclave-licensing.internal', namespace: 'team', serviceAccount: 'default.x' };
    expect(parseSpiffeId(formatSpiffeId(id))).toEqual(id);
    expect(() => formatSpiffeId({ ...id, namespace: 'a/b' })).toThrow(RangeError);
  });

  test.each([
    'spiffe://D/ns/a/sa/b',
    'spiffe://d/ns/a/sa/b/',
    'spiffe://d/ns/a/sa/b?x',
    'spiffe://u@d/ns/a/sa/b',
    'spiffe://d:1/ns/a/sa/b',
    'https://d/ns/a/sa/b',
    'spiffe://d/ns/../sa/b',
  ])('%s is none', (text) => {
    expect(parseSpiffeId(text)).toBeUndefined();
  });
});
