import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTokens, TOKEN_AUDIENCE, type Tokens } from '../../licensing/front/tokens/tokens.ts';
import { openSqliteStore } from '../../licensing/store/sqlite-store.ts';
import type { Store } from '../../licensing/store/store.ts';

const HOUR = 3_600_000;
const NOW = 1_790_000_000_000;
const folder = mkdtempSync(join(tmpdir(), 'tokens-'));
let store: Store;
let tokens: Tokens;
beforeAll(async () => {
  store = openSqliteStore(join(folder, 'front.db'));
  tokens = await openTokens(store, HOUR, NOW);
});
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

test('a token is good until its end, also after a restart, and for who holds the public keys', async () => {
  const { token, expiresAt } = await tokens.issue('ada', NOW);
  expect(expiresAt).toBe(NOW + HOUR);
  const later = await openTokens(store, HOUR, NOW + 1);
  expect(later.publicKeys).toEqual(tokens.publicKeys);
  expect(await later.check(token, NOW + HOUR - 1000)).toEqual({ ok: true, value: 'ada' });
  expect(await later.check(token, NOW + HOUR)).toMatchObject({ ok: false, code: 'unauthenticated' });
  const seen = await jwtVerify(token, createLocalJWKSet(tokens.publicKeys), { currentDate: new Date(NOW) });
  expect(seen.payload).toMatchObject({ sub: 'ada', aud: TOKEN_AUDIENCE });
  expect(JSON.stringify(tokens.publicKeys)).not.toContain('"d"');
});

test('another key, audience, algorithm, missing claim or changed byte is refused with one answer', async () => {
  const { token } = await tokens.issue('ada', NOW);
  const kid = tokens.publicKeys.keys[0]?.kid ?? '';
  const { privateKey } = await generateKeyPair('ES256');
  const claims = {
    iss: 'enclave-licensing.dev',
    aud: TOKEN_AUDIENCE,
    sub: 'ada',
    iat: NOW / 1000,
    exp: NOW / 1000 + 60,
  };
  const forged = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', kid, typ: 'JWT' })
    .sign(privateKey);
  const none = `${Buffer.from(JSON.stringify({ alg: 'none', kid, typ: 'JWT' })).toString('base64url')}.${token.split('.')[1]}.`;
  const symmetric = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', kid, typ: 'JWT' })
    .sign(Buffer.from(JSON.stringify(tokens.publicKeys)));
  const middle = token.length >> 1;
  const changed = `${token.slice(0, middle)}${token[middle] === 'A' ? 'B' : 'A'}${token.slice(middle + 1)}`;
  const answers = await Promise.all(
    [forged, none, symmetric, changed, '', 'x.y.z', `${token}.`].map((each) => tokens.check(each, NOW)),
  );
  expect(new Set(answers.map((each) => JSON.stringify(each))).size).toBe(1);
  expect(answers[0]).toMatchObject({ ok: false, code: 'unauthenticated' });
});
