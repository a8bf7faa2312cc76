import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Keyring } from '../../licensing/front/tokens/keyring.ts';
import { createTokens, TOKEN_AUDIENCE } from '../../licensing/front/tokens/tokens.ts';
import { openSqliteStore } from '../../licensing/store/sqlite-store.ts';
import type { Store } from '../../licensing/store/store.ts';

const HOUR = 3_600_000;
const START = 1_790_000_000_000;
let folder: string;
let store: Store;
let now: number;
let reads: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tokens-'));
  store = openSqliteStore(join(folder, 'front.db'));
  now = START;
  reads = 0;
  const read = store.tokenKeys.bind(store);
  store.tokenKeys = (at) => {
    reads += 1;
    return read(at);
  };
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

/** One front's. */
async function front() {
  const clock = { now: () => now };
  const keyring = await Keyring.open(store, { keyLifetimeMs: 24 * HOUR, tokenLifetimeMs: 8 * HOUR, clock });
  return { keyring, tokens: createTokens(keyring, HOUR) };
}
const publish = async (...fronts: { keyring: Keyring }[]): Promise<string[]> => {
  const ids = ((await fronts[0]?.keyring.wanted()) ?? []).map(({ id }) => id);
  for (const { keyring } of fronts) keyring.published(ids);
  return ids;
};
const kidOf = (token: string): unknown =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;

test('a token is good until its end, at every front of the store, and for who holds the public keys', async () => {
  const one = await front();
  const two = await front();
  const { token, expiresAt } = await one.tokens.issue('ada', now);
  expect(expiresAt).toBe(now + HOUR);
  expect(await two.tokens.check(token, now + HOUR - 1000)).toEqual({ ok: true, value: 'ada' });
  expect(await two.tokens.check(token, now + HOUR)).toMatchObject({ ok: false, code: 'unauthenticated' });
  // Two made its key after one had read them; nobody asks the store about a key that it knows.
  const later = await two.tokens.issue('ada', now);
  const before = reads;
  expect(await one.tokens.check(later.token, now)).toEqual({ ok: true, value: 'ada' });
  expect(reads).toBe(before + 1);
  for (let round = 0; round < 100; round += 1) await one.tokens.check(later.token, now);
  expect(reads).toBe(before + 1);
  // After the signer's end, too: what it kept for itself is in no file.
  const third = await front();
  expect(await third.tokens.check(token, now)).toEqual({ ok: true, value: 'ada' });
  const jwks = { keys: (await third.keyring.wanted()).map(({ jwk }) => jwk) };
  const seen = await jwtVerify(token, createLocalJWKSet(jwks), { currentDate: new Date(now) });
  expect(seen.payload).toMatchObject({ sub: 'ada', aud: TOKEN_AUDIENCE });
  expect(JSON.stringify(jwks)).not.toContain('"d"');
});

test('made-up key ids ask the store once a second at most, however many come', async () => {
  const { tokens } = await front();
  const { token } = await tokens.issue('ada', now);
  const before = reads;
  const [, claims, signature] = token.split('.');
  const strangers = Array.from({ length: 50 }, (_, index) => {
    const kid = String(index).padStart(43, 'x');
    const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid, typ: 'JWT' })).toString('base64url');
    return tokens.check(`${header}.${claims}.${signature}`, now);
  });
  const answers = await Promise.all(strangers);
  expect(answers.every(({ ok }) => !ok)).toBe(true);
  expect(reads).toBe(before + 1);
});

test('keys take turns by themselves: published before they sign, gone when their last token is', async () => {
  const one = await front();
  const enclaveToken = () => one.tokens.issueFor('e1.test', 'ada', HOUR, now);
  // Sidecars know a key by the trust document alone.
  expect(await enclaveToken()).toMatchObject({ ok: false, code: 'token-key-unpublished' });
  const [first] = await publish(one);
  expect(await enclaveToken()).toMatchObject({ ok: true });
  now += 22 * HOUR;
  await one.keyring.tend();
  expect(await one.keyring.wanted()).toHaveLength(1);
  now += 1.5 * HOUR;
  await one.keyring.tend();
  const old = await one.tokens.issue('ada', now);
  expect(kidOf(old.token)).toBe(first);
  const [, second] = await publish(one);
  expect(second).toBeDefined();
  expect(kidOf((await one.tokens.issue('ada', now)).token)).toBe(first);
  now += 61_000;
  await one.keyring.tend();
  expect(kidOf((await one.tokens.issue('ada', now)).token)).toBe(second);
  const issued = await enclaveToken();
  expect(issued.ok && kidOf(issued.value.token)).toBe(second);
  expect(await one.tokens.check(old.token, now)).toMatchObject({ ok: true });
  now = START + 33 * HOUR;
  expect((await one.keyring.wanted()).map(({ id }) => id)).toEqual([second]);
});

test('a key that nobody published does not sign for sidecars, and its front goes on for itself', async () => {
  const one = await front();
  await publish(one);
  now += 23.5 * HOUR;
  await one.keyring.tend();
  now += HOUR;
  await one.keyring.tend();
  expect(await one.tokens.issueFor('e1.test', 'ada', HOUR, now)).toMatchObject({
    code: 'token-key-unpublished',
  });
  const { token } = await one.tokens.issue('ada', now);
  expect(await (await front()).tokens.check(token, now)).toMatchObject({ ok: true });
});

test('fronts that are restarted again and again ask for no more keys than a document takes, and crowd nobody out', async () => {
  const steady = await front();
  await publish(steady);
  let last = await front();
  for (let round = 0; round < 20; round += 1) {
    now += 1000;
    last = await front();
  }
  const ids = await publish(last, steady);
  expect(ids).toHaveLength(16);
  expect(await steady.tokens.issueFor('e1.test', 'ada', HOUR, now)).toMatchObject({
    code: 'token-key-unpublished',
  });
  now += 1000;
  await steady.keyring.tend();
  expect(await publish(last, steady)).toHaveLength(16);
  expect(await steady.tokens.issueFor('e1.test', 'ada', HOUR, now)).toMatchObject({ ok: true });
  expect(await last.tokens.issueFor('e1.test', 'ada', HOUR, now)).toMatchObject({ ok: true });
});

test('another key, audience, algorithm, missing claim or changed byte is refused with one answer', async () => {
  const { tokens, keyring } = await front();
  const { token } = await tokens.issue('ada', now);
  const [known] = await keyring.wanted();
  const kid = known?.id ?? '';
  const { privateKey } = await generateKeyPair('ES256');
  const claims = {
    iss: 'enclave-licensing.dev',
    aud: TOKEN_AUDIENCE,
    sub: 'ada',
    iat: now / 1000,
    exp: now / 1000 + 60,
  };
  const forged = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', kid, typ: 'JWT' })
    .sign(privateKey);
  const none = `${Buffer.from(JSON.stringify({ alg: 'none', kid, typ: 'JWT' })).toString('base64url')}.${token.split('.')[1]}.`;
  const symmetric = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', kid, typ: 'JWT' })
    .sign(Buffer.from(JSON.stringify(known?.jwk)));
  const middle = token.length >> 1;
  const changed = `${token.slice(0, middle)}${token[middle] === 'A' ? 'B' : 'A'}${token.slice(middle + 1)}`;
  const answers = await Promise.all(
    [forged, none, symmetric, changed, '', 'x.y.z', `${token}.`].map((each) => tokens.check(each, now)),
  );
  expect(new Set(answers.map((each) => JSON.stringify(each))).size).toBe(1);
  expect(answers[0]).toMatchObject({ ok: false, code: 'unauthenticated' });
});
