import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toUtf8 } from '../../formats/bytes/bytes.ts';
import { bundleFromJson } from '../../formats/evidence/bundle.ts';
import { parseGrant } from '../../formats/evidence/grant.ts';
import { parseStatement } from '../../formats/evidence/statement.ts';
import { decodeAttest, decodeAttestHeader } from '../../formats/tpm/attest.ts';
import { decodePublic, publicToSpki } from '../../formats/tpm/public.ts';
import { decodeSignature } from '../../formats/tpm/signature.ts';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import { publicKeyKind } from '../../formats/x509/public-key.ts';
import { parsePolicy } from '../../verify/policy/parse-policy.ts';
import { dice } from '../support/dice.ts';
import { mutatedPolicies } from '../support/policy-mutations.ts';
import { publishedVectors } from '../support/published-vectors.ts';
import { openVector } from '../support/vector.ts';

const readers = fileURLToPath(new URL('../support/verifier-readers.py', import.meta.url));

/** What this project's readers make of the bytes. */
const OURS: Readonly<Record<string, (bytes: Uint8Array) => boolean>> = {
  certificate: (bytes) => parseCertificate(bytes).ok,
  key: (bytes) => publicKeyKind(bytes) !== undefined,
  attest: (bytes) => decodeAttest(bytes).ok,
  'extra-data': (bytes) => decodeAttestHeader(bytes).ok,
  signature: (bytes) => decodeSignature(bytes).ok,
  public: (bytes) => decodePublic(bytes).ok,
  spki: (bytes) => {
    const key = decodePublic(bytes);
    return key.ok && publicToSpki(key.value).ok;
  },
  statement: (bytes) => parseStatement(bytes).ok,
  bundle: (bytes) => {
    const bundle = bundleFromJson(bytes);
    return bundle.ok && bundle.value.certificateChain.length > 0;
  },
  grant: (bytes) => parseGrant(bytes).ok,
  policy: (bytes) => parsePolicy(JSON.parse(new TextDecoder().decode(bytes))).ok,
};

type Sample = readonly [kind: string, bytes: Uint8Array];

/** Every distinct part of every published bundle, by the reader that it is for. */
function samples(): Sample[] {
  const found = new Map<string, Sample>();
  const add = (kind: string, bytes: Uint8Array) =>
    found.set(`${kind} ${Buffer.from(bytes).toString('base64')}`, [kind, bytes]);
  for (const vector of publishedVectors().values()) {
    add('bundle', toUtf8(JSON.stringify(vector.bundle)));
    const { bundle, context } = openVector(vector);
    if (context.grant) add('grant', context.grant.grant);
    if (!bundle) continue;
    for (const der of [...bundle.certificateChain, ...bundle.attestationKeyCertificateChain]) {
      add('certificate', der);
      const parsed = parseCertificate(der);
      if (parsed.ok) add('key', parsed.value.spki);
    }
    for (const kind of ['attest', 'extra-data']) add(kind, bundle.attest);
    for (const kind of ['public', 'spki']) add(kind, bundle.attestationKeyPublic);
    add('signature', bundle.signature);
    add('statement', bundle.statement);
  }
  return [...found.values()];
}

const BYTES = [0x00, 0x01, 0x02, 0x03, 0x04, 0x06, 0x0c, 0x30, 0x7f, 0x80, 0x81, 0x82, 0xa0, 0xff];
/** What two readers of JSON may see differently. */
const TEXTS = [
  ...['1.0', '1e0', '-0', '0.5', '1e400', '9007199254740992', '01', '+1', 'NaN', 'Infinity', 'true', 'null'],
  ...[
    ' ',
    '\t',
    '\n',
    '\u00a0',
    '\ufeff',
    '\u0085',
    '\u001f',
    ',',
    ':',
    '"',
    '{}',
    '[]',
    '""',
    '"x":1,',
    '/**/',
    "'",
  ],
  ...[
    '\\u0061',
    '\\u0000',
    '\\ud800',
    '\\ud83d\\ude00',
    '\\/',
    '\\x41',
    '\\',
    '=',
    '-',
    '_',
    'é',
    '😀',
    '__proto__',
  ],
].map(toUtf8);

function mutated([kind, bytes]: Sample, roll: (below: number) => number): Sample {
  const text = ['statement', 'bundle', 'grant'].includes(kind);
  const pieces = text ? TEXTS : BYTES.map((byte) => Uint8Array.of(byte));
  let now = Buffer.from(bytes);
  for (let times = 1 + roll(2); times > 0; times--) {
    const at = roll(now.length + 1);
    const piece = pieces[roll(pieces.length)] ?? new Uint8Array();
    const cut = roll(3) === 0 ? roll(4) : roll(2) * piece.length;
    const insert = roll(8) === 0 ? now.subarray(at, at + roll(40)) : piece;
    now = Buffer.concat([now.subarray(0, at), insert, now.subarray(at + cut)]);
  }
  return [kind, now];
}

test('the readers of verify.sh accept what ours accept, and nothing else: every published part, and 20,000 changed ones', {
  timeout: 120_000,
}, () => {
  const roll = dice(1_123);
  const published = samples();
  const changed = Array.from({ length: 20_000 }, () =>
    mutated(published[roll(published.length)] ?? ['key', Uint8Array.of()], roll),
  );
  const policies = fc.sample(mutatedPolicies, { numRuns: 1_000, seed: 1 });
  const asText = policies.map((policy): Sample => ['policy', toUtf8(JSON.stringify(policy) ?? 'null')]);
  const all = [...published, ...changed, ...asText];
  const input = all
    .map(([kind, bytes]) => `${kind} ${Buffer.from(bytes).toString('base64') || '='}\n`)
    .join('');
  const answers = execFileSync('/usr/bin/python3', ['-B', readers], {
    input,
    maxBuffer: 1 << 24,
    encoding: 'utf8',
  })
    .trim()
    .split('\n');
  expect(answers).toHaveLength(all.length);
  const differing = all.filter(([kind, bytes], i) => (OURS[kind]?.(bytes) ?? false) !== (answers[i] === '1'));
  const told = differing
    .slice(0, 20)
    .map(
      ([kind, bytes]) => `${kind} ${Buffer.from(bytes).toString(kind === 'statement' ? 'utf8' : 'base64')}`,
    );
  expect(told, `${differing.length} differ`).toEqual([]);
  const accepted = answers.filter((answer) => answer === '1').length;
  expect(accepted).toBeGreaterThan(published.length / 2);
});
