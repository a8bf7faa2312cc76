import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TrustStore } from '../../client/state/trust-store.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { documentOf, rootsOf } from '../support/trust-documents.ts';

const [first, second, third] = ['first', 'second', 'third'].map((name) => createTestAuthority(name)) as [
  ReturnType<typeof createTestAuthority>,
  ReturnType<typeof createTestAuthority>,
  ReturnType<typeof createTestAuthority>,
];
const both = (a: Roots, b: Roots): Roots => ({ ...a, system: [...a.system, ...b.system] });
const pinned = rootsOf(first);

let folder: string;
let store: TrustStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chain-'));
  store = new TrustStore(folder, 'ab');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const offer = async (...document: Parameters<typeof documentOf>): Promise<string> => {
  const offered = await store.offer(nodeCrypto, pinned, documentOf(...document));
  return offered.ok ? 'taken' : offered.code;
};
const version = (): number | undefined => store.document(nodeCrypto, pinned)?.version;
const links = (): number =>
  JSON.parse(readFileSync(join(store.folder, 'trust-documents.json'), 'utf8')).documents.length;

test('a root that a held root vouched for vouches for the next; a root that was dropped for nothing', async () => {
  expect(version()).toBeUndefined();
  expect(await offer(second, 2, rootsOf(second))).toBe('evidence-untrusted');
  expect(await offer(first, 2, both(pinned, rootsOf(second)))).toBe('taken');
  expect(await offer(second, 3, rootsOf(second))).toBe('taken');
  // The pinned root was dropped: whoever stole its key cannot bring it back.
  expect(await offer(first, 4, pinned)).toBe('evidence-untrusted');
  expect(await offer(second, 3, rootsOf(second))).toBe('evidence-rollback');
  expect(await offer(third, 4, rootsOf(third))).toBe('evidence-untrusted');
  expect(await offer(second, 4, both(rootsOf(second), rootsOf(third)))).toBe('taken');
  expect(await offer(third, 5, rootsOf(third))).toBe('taken');
  expect(version()).toBe(5);
});

test('only what vouches is kept, however many documents come', async () => {
  await offer(first, 1, pinned);
  for (let i = 2; i < 10; i += 1) await offer(first, i, both(pinned, rootsOf(second)));
  expect(links()).toBe(1);
  for (let i = 10; i < 20; i += 1) await offer(second, i, rootsOf(second));
  expect([links(), version()]).toEqual([2, 19]);
});

test('a file that was damaged or put together by others is refused, not forgotten', async () => {
  await offer(first, 2, both(pinned, rootsOf(second)));
  await offer(second, 3, rootsOf(second));
  const path = join(store.folder, 'trust-documents.json');
  const good = readFileSync(path, 'utf8');
  const { documents } = JSON.parse(good) as { documents: string[] };
  for (const bad of [
    good.slice(0, 100),
    good.replace(/(?<=documents": \[\s+".{200})./s, (letter) => (letter === 'A' ? 'B' : 'A')),
    JSON.stringify({ v: 'enclavectl-trust/1', documents: documents.slice(1) }),
    JSON.stringify({ v: 'enclavectl-trust/1', documents: documents.toReversed() }),
    JSON.stringify({ v: 'enclavectl-trust/1', documents: [] }),
  ]) {
    writeFileSync(path, bad);
    expect(version, bad.slice(0, 60)).toThrow(expect.objectContaining({ code: 'state-damaged' }));
  }
  writeFileSync(path, good);
  expect(version()).toBe(3);
});
