/** What the demo shows, in order. Each step asserts what it shows. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Environment } from '../cluster/environment.ts';
import { showMetrics } from './metrics.ts';
import type { Narrator } from './narrator.ts';
import { PROFILE, profileObject } from './operator.ts';
import { type Person, person, type Settings } from './people.ts';
import { refusals } from './refusals.ts';

interface Launched {
  readonly enclave: string;
}

export async function story(
  environment: Environment,
  settings: Settings,
  say: Narrator,
  signal: AbortSignal,
): Promise<void> {
  say.command(
    `kubectl apply -f profile.yaml    # EnclaveProfile ${PROFILE}: image by digest, upstream unix:`,
  );
  say.output(await environment.kubectl(['apply', '-f', '-'], JSON.stringify(profileObject(environment))));

  say.heading('The user: pin the roots, sign up, log in, launch');
  const alice = person('alice', environment.directory, settings, say, signal);
  await signIn(alice);
  const enclave = await launch(alice);

  say.heading('A request over mutual TLS, with the exported credentials and curl');
  const exported = join(alice.home, 'export');
  await good(alice, ['bundle', 'export', exported, '--enclave', enclave]);
  await askWithCurl(say, exported);

  await refusals({ environment, settings, say, signal, alice, enclave, exported, signIn, launch });

  say.heading('The end of an enclave, and of a namespace');
  await good(alice, ['stop', enclave]);
  await bareAgain(environment, say);

  say.heading('Metrics');
  await showMetrics(environment, say);
}

async function signIn(who: Person): Promise<void> {
  await good(who, ['init']);
  await good(who, ['signup', who.name, '--password-file', who.passwordFile]);
  await good(who, ['login', who.name, '--password-file', who.passwordFile]);
}

async function launch(who: Person): Promise<string> {
  await good(who, ['launch', PROFILE]);
  const list = await who.enclavectl(['ls', '--json'], { quiet: true });
  const enclave = (JSON.parse(list.stdout) as { enclaves: { id: string; state: string }[] }).enclaves.find(
    ({ state }) => state === 'ready',
  );
  assert.ok(enclave, `no ready enclave in ${list.stdout}`);
  return enclave.id;
}

async function good(who: Person, args: readonly string[]): Promise<void> {
  const result = await who.enclavectl(args);
  assert.equal(result.code, 0, `enclavectl ${args[0]} ended with ${result.code}: ${result.stderr}`);
}
