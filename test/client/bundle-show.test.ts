import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { toUtf8 } from '../../formats/bytes/bytes.ts';
import { person } from '../support/enclavectl.ts';
import { makeVector, type Vector } from '../support/vector.ts';

const alice = person('127.0.0.1:1');
afterAll(() => alice.remove());
const good: Vector = JSON.parse(
  readFileSync(new URL('../vectors/evidence/good.json', import.meta.url), 'utf8'),
);

test('bundle show names every field of the quote, its key and certificates, and says that nothing is verified', async () => {
  const file = alice.file('bundle.json', JSON.stringify(good.bundle));
  const { exit, out } = await alice.run('bundle', 'show', '--bundle', file);
  expect(exit).toBe(0);
  for (const [name, value] of [
    ['magic', /ff544347/],
    ['type', /TPM_ST_ATTEST_QUOTE/],
    ['qualifiedSigner', /000b[0-9a-f]{64}$/],
    ['extraData', /[0-9a-f]{64}$/],
    ['clock', /1000000 ms/],
    ['resetCount', /7/],
    ['restartCount', /2/],
    ['safe', /YES/],
    ['firmwareVersion', /0x0000000000000001/],
    ['pcrSelection', /sha256:0,1,2,3,4,5,6,7/],
    ['pcrDigest', /[0-9a-f]{64}$/],
    ['scheme', /ecdsa/],
    ['restricted', /signs only what its TPM made/],
    ['not decrypt', /may not decrypt/],
    ['node', /node-1/],
    ['tpmTrust.how', /vendor-root/],
    ['binding.podUid', /0b6ae5cc/],
    ['uris', /spiffe:\/\//],
    ['leaf', /1 of 3/],
    ['notAfter', /2026-11-23T00:00:00Z/],
  ] as const)
    expect(out, name).toMatch(new RegExp(`^ {2}${name} +.*${value.source}`, 'm'));
  expect(out).toContain('  |     "serviceAccount": "default"');
  const headings = out.split('\n').filter((line) => /^\S/.test(line));
  expect(headings.slice(1).every((line) => line.endsWith(', unverified'))).toBe(true);

  const json = JSON.parse((await alice.run('bundle', 'show', '--json', '--bundle', file)).out);
  expect(json).toMatchObject({
    verified: false,
    quote: { resetCount: 7, safe: 'YES' },
    statement: { claims: { pod: { node: 'node-1' } } },
  });
});

test('a hostile bundle shows its bytes and nothing else: no colour, no fake line, no part left out', async () => {
  const text = '\u001b[2K\u202e{"verified": true}\nverdict: good\u0085';
  const { bundle } = makeVector({ changes: { statementBytes: () => toUtf8(text) } });
  const broken = { ...bundle, attest: 'AAAA', attestationKeyPublic: 'AAAA', signature: 'AAAA' };
  const file = alice.file('hostile.json', JSON.stringify(broken));
  const { exit, out } = await alice.run('bundle', 'show', '--bundle', file);
  expect(exit).toBe(0);
  expect(out).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
  expect(out).toContain('  | \\u001b[2K\\u202e{"verified": true}\n  | verdict: good\\u0085\n');
  expect(out.match(/^ {2}unreadable /gm)).toHaveLength(4);
  expect(out).toMatch(/^ {2}hex +000000$/m);
  const doubled = makeVector({
    changes: { statementBytes: (bytes) => toUtf8(Buffer.from(bytes).toString().replace('{', '{"iat": 1,')) },
  });
  const twice = await alice.run(
    'bundle',
    'show',
    '--bundle',
    alice.file('twice.json', JSON.stringify(doubled.bundle)),
  );
  expect(twice.out).toContain('  | {"iat": 1,');
});
