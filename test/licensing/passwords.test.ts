import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Passwords, startPasswords } from '../../licensing/front/passwords/passwords.ts';

let passwords: Passwords;
beforeAll(async () => {
  passwords = await startPasswords({ logN: 10, concurrency: 1, queue: 3 });
});
afterAll(() => passwords.close());

test('a password matches its own key only, however its letters are composed', async () => {
  const key = await passwords.hash('pässword');
  if (!key.ok) throw new Error(key.message);
  expect(key.value).toHaveLength(96);
  expect(await passwords.verify(key.value, 'pa\u0308ssword')).toEqual({ ok: true, value: true });
  expect(await passwords.verify(key.value, 'password')).toEqual({ ok: true, value: false });
});

test('an unknown user costs the same work and never matches', async () => {
  expect(await passwords.verify(undefined, '')).toEqual({ ok: true, value: false });
});

test('what does not fit in the queue is refused at once, what is in it is done', async () => {
  const results = await Promise.all(Array.from({ length: 8 }, () => passwords.hash('many at once')));
  expect(results.filter((each) => each.ok)).toHaveLength(4);
  expect(results.filter((each) => !each.ok && each.code === 'overloaded')).toHaveLength(4);
});

test('a broken key is a defect, not an answer, and the next password is checked all the same', async () => {
  await expect(passwords.verify(new Uint8Array(5), 'password')).rejects.toThrow(/scrypt worker failed/);
  expect(await passwords.verify(undefined, 'password')).toEqual({ ok: true, value: false });
});
