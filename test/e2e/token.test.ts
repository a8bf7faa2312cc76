import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { narrator } from '../../tools/demo/narrator.ts';
import { policyObject, profileObject } from '../../tools/demo/operator.ts';
import { type Person, person } from '../../tools/demo/people.ts';
import { forwarded } from '../support/forwarded.ts';
import { startWorld, succeed, type World } from '../support/world.ts';

let world: World;
let alice: Person;
let policy: string;
let enclave: string;

beforeAll(async () => {
  world = await startWorld();
  const hello = profileObject(world.environment);
  const spec = { ...Reflect.get(hello, 'spec'), mode: 'http', auth: 'jwt' };
  const metadata = { ...Reflect.get(hello, 'metadata'), name: 'web' };
  await world.environment.kubectl(['apply', '-f', '-'], JSON.stringify({ ...hello, metadata, spec }));
  policy = join(world.environment.directory, 'token-policy.yaml');
  writeFileSync(policy, stringify({ ...policyObject(world.environment), modes: ['http'], auth: ['jwt'] }));
  alice = await world.user('alice');
  const launched = await succeed(alice, ['launch', 'web', '--policy', policy]);
  enclave = /enclave (e[a-z2-7]{15}) at/.exec(launched)?.[1] ?? '';
});

afterAll(() => world?.stop());

/** Another machine of a user's: logged in, and without any key. */
async function elsewhere(who: Person): Promise<Person> {
  const { directory } = world.environment;
  const quiet = narrator(() => undefined);
  const other = person(
    `${who.name}-elsewhere`,
    directory,
    world.settings,
    quiet,
    new AbortController().signal,
  );
  await succeed(other, ['init']);
  await succeed(other, ['login', who.name, '--password-file', who.passwordFile]);
  return other;
}

test('auth: jwt: logged in anywhere, the enclave’s user is let in without its key; nobody else is', async () => {
  const other = await elsewhere(alice);
  const connection = await forwarded(other, world.settings, [enclave, '--policy', policy]);
  try {
    const answer = await fetch(`http://127.0.0.1:${connection.port}/p?q=1`, {
      method: 'POST',
      body: 'hello',
    });
    expect(await answer.json()).toMatchObject({ method: 'POST', path: '/p?q=1', received: 5 });
  } finally {
    await connection.stop();
  }
  // Without --listen there is no request that a token could go with.
  expect((await other.enclavectl(['connect', enclave, '--policy', policy])).stderr).toContain('--listen');
  const bob = await world.user('bob');
  const refused = await bob.enclavectl(['connect', enclave, '--listen', '127.0.0.1:0', '--policy', policy]);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('enclave-unknown')]);
});

test('the verdict says whom it trusts for who gets in', async () => {
  const { stdout } = await alice.enclavectl(['status', enclave, '--verify', '--policy', policy, '--json']);
  const { verdict } = JSON.parse(stdout);
  const access = verdict.checks.find(({ name }: { name: string }) => name === 'access');
  expect(access).toMatchObject({
    ok: true,
    detail: expect.stringContaining('front is trusted for who gets in'),
  });
});
