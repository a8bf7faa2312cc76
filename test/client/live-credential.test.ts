import { expect, test } from 'vitest';
import { liveCredential } from '../../client/command/live-credential.ts';
import type { Credential } from '../../platform/identity/credential.ts';

test('the first renewal is waited for; later ones hold nobody up, and are tried once a minute', async () => {
  const [old, renewed] = [{} as Credential, {} as Credential];
  let held: { credential: Credential; fresh: boolean } | undefined = { credential: old, fresh: false };
  const world = { now: 0, asked: 0 };
  let answer = Promise.withResolvers<Credential>();
  const credential = liveCredential({
    clock: { now: () => world.now },
    held: () => held,
    renew: () => {
      world.asked += 1;
      return answer.promise;
    },
  });
  const first = credential();
  answer.resolve(old);
  expect(await first).toBe(old);
  answer = Promise.withResolvers();
  // Due again, and the server is away: nobody waits, and it is not asked with every connection.
  world.now = 59_999;
  expect(await credential()).toBe(old);
  expect(world.asked).toBe(1);
  world.now = 60_000;
  for (let i = 0; i < 10; i += 1) expect(await credential()).toBe(old);
  expect(world.asked).toBe(2);
  answer.reject(new Error('away'));
  await Promise.allSettled([answer.promise]);
  // At its end there is nothing to use but a new one.
  held = undefined;
  answer = Promise.withResolvers();
  const [one, two] = [credential(), credential()];
  answer.resolve(renewed);
  expect(await Promise.all([one, two])).toEqual([renewed, renewed]);
  expect(world.asked).toBe(3);
  held = { credential: renewed, fresh: true };
  expect(await credential()).toBe(renewed);
  expect(world.asked).toBe(3);
});
