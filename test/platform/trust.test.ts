import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { rootsToJson } from '../../formats/evidence/roots.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import { followTrust } from '../../platform/trust/follow-trust.ts';
import { readRootsFile } from '../../platform/trust/read-roots-file.ts';
import { TrustHolder } from '../../platform/trust/trust-holder.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { documentOf, rootsOf } from '../support/trust-documents.ts';

test('trust goes forward only, and from a root that is held to the next', () => {
  const [first, second, stranger] = ['a', 'b', 'c'].map((name) => createTestAuthority(name));
  if (!first || !second || !stranger) throw new Error('three were made');
  const holder = new TrustHolder(nodeCrypto, rootsOf(first));
  const seen: number[] = [];
  holder.systemRoots.onChange((roots) => seen.push(roots.length));
  const startSet = rootsToJson(rootsOf(first));
  expect(holder.acceptsRoots(startSet)).toBe(false);
  const untrusted = { ok: false, message: expect.stringMatching(/no system root held/) };
  expect(holder.offer(documentOf(stranger, 1, rootsOf(stranger)))).toMatchObject(untrusted);
  expect(holder.offer(documentOf(first, 1, rootsOf(first))).ok).toBe(true);
  expect(holder.acceptsRoots(startSet)).toBe(true);
  expect(holder.offer(documentOf(first, 1, rootsOf(first)))).toMatchObject({
    ok: false,
    message: expect.stringMatching(/version 1/),
  });
  expect(seen).toEqual([]);
  const both = { ...rootsOf(first), system: [first.root, second.root] };
  expect(holder.offer(documentOf(first, 2, both)).ok).toBe(true);
  expect(holder.offer(documentOf(second, 3, rootsOf(second))).ok).toBe(true);
  expect(seen).toEqual([2, 1]);
  expect(holder.offer(documentOf(first, 4, rootsOf(first)))).toMatchObject(untrusted);
  expect(holder.version).toBe(3);
  expect(holder.acceptsRoots(startSet)).toBe(false);
});

test('a document grows old by time itself, whatever the clock is set to', () => {
  const system = createTestAuthority('system');
  const issued = 1_795_305_600_000;
  let now = issued + 5_000;
  const holder = new TrustHolder(nodeCrypto, rootsOf(system), { now: () => now });
  expect(holder.ageMs).toBeUndefined();
  expect(holder.offer(documentOf(system, 1, rootsOf(system))).ok).toBe(true);
  expect(holder.ageMs).toBe(5_000);
  now += 60_000;
  expect(holder.ageMs).toBe(65_000);
  // Set back by a day: it came a minute ago at least, but for what the clocks are allowed to round.
  now -= 86_400_000;
  expect(holder.ageMs).toBeGreaterThanOrEqual(59_980);
  expect(holder.ageMs).toBeLessThan(65_000);
});

test('a file without roots stops the start with one clear line', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'roots-'));
  const file = join(folder, 'roots.json');
  writeFileSync(file, '{"system":[]}');
  await expect(readRootsFile(file)).rejects.toThrow(/roots\.json/);
  rmSync(folder, { recursive: true });
});

test('following survives a service that breaks off, and asks only for what is newer', async () => {
  const system = createTestAuthority('system');
  const holder = new TrustHolder(nodeCrypto, rootsOf(system));
  const asked: bigint[] = [];
  const client = {
    async *watch({ version }: { version: bigint }) {
      asked.push(version);
      yield { trustDocument: documentOf(system, Number(version) + 1, rootsOf(system)) };
      throw new Error('connection lost');
    },
  };
  const abort = new AbortController();
  void followTrust({ client, holder, log: silentLogger, signal: abort.signal });
  await vi.waitFor(() => expect(asked).toEqual([0n, 1n, 2n]), 15_000);
  abort.abort();
});
