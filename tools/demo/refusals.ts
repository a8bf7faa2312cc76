/** Three refusals, each asserted by its code and shown with its reason. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EVIDENCE_ALPN, EVIDENCE_PATHS } from '../../names/wire.ts';
import type { Environment } from '../cluster/environment.ts';
import { request } from './data-connection.ts';
import { mutateBundle } from './mutate.ts';
import type { Narrator } from './narrator.ts';
import { type Person, type PersonOptions, person, type Settings } from './people.ts';

export interface RefusalContext {
  readonly environment: Environment;
  readonly settings: Settings;
  readonly say: Narrator;
  readonly signal: AbortSignal;
  readonly alice: Person;
  readonly enclave: string;
  /** Folder of `bundle export`. */
  readonly exported: string;
  signIn(who: Person, options?: PersonOptions): Promise<void>;
  launch(who: Person, options?: PersonOptions): Promise<string>;
}

interface Check {
  readonly name: string;
  readonly ok: boolean | string;
  readonly expected: string;
  readonly actual: string;
}

interface Credentials {
  readonly cert: string;
  readonly key: string;
}

export async function refusals(context: RefusalContext): Promise<void> {
  const { say } = context;
  const bundle = JSON.parse(readFileSync(join(context.exported, 'bundle.json'), 'utf8')) as {
    endpoint: string;
    serverName: string;
  };
  say.heading('Refusal 1: no client certificate');
  await refusedConnection(context, bundle, undefined, 'certificate-missing');

  say.heading('Refusal 2: a bundle with one byte changed');
  await refusedBundle(context);

  say.heading("Refusal 3: another user's certificate");
  const mallory = person('mallory', context.environment.directory, context.settings, say, context.signal);
  say.note('mallory signs up and launches an enclave of her own');
  await context.signIn(mallory, { quiet: true });
  const own = await context.launch(mallory, { quiet: true });
  const folder = join(mallory.home, 'export');
  await mallory.enclavectl(['bundle', 'export', folder, '--enclave', own], { quiet: true });
  say.note(`mallory's certificate is good for ${own}; she presents it to ${context.enclave}`);
  await refusedConnection(context, bundle, credentials(folder), 'enclave-mismatch');
  await mallory.enclavectl(['stop', own], { quiet: true });
}

function credentials(folder: string): Credentials {
  return {
    cert: readFileSync(join(folder, 'user-certificate.pem'), 'utf8'),
    key: readFileSync(join(folder, 'user-key.pem'), 'utf8'),
  };
}

/** The data connection is closed without a byte; the evidence side says why. */
async function refusedConnection(
  { say }: RefusalContext,
  bundle: { endpoint: string; serverName: string },
  presented: Credentials | undefined,
  code: string,
): Promise<void> {
  const options = { serverName: bundle.serverName, ...presented };
  const data = await request(bundle.endpoint, options);
  assert.equal(data.text, '', 'a refused connection gets no byte from the app');
  say.note('GET / on a data connection: closed without a byte');
  const decision = await request(bundle.endpoint, {
    ...options,
    alpn: EVIDENCE_ALPN,
    path: EVIDENCE_PATHS.accessDecision,
  });
  const body = decision.text.slice(decision.text.indexOf('\r\n\r\n') + 4);
  const said = JSON.parse(body) as { allowed: boolean; code: string; message: string };
  assert.equal(said.allowed, false);
  assert.equal(said.code, code);
  say.refusal('the connection', said.code, said.message);
}

async function refusedBundle({ say, alice, exported }: RefusalContext): Promise<void> {
  const mutation = mutateBundle(readFileSync(join(exported, 'bundle.json'), 'utf8'));
  const file = join(alice.home, 'forged.json');
  writeFileSync(file, mutation.text);
  say.note(`changed ${mutation.what}`);
  const result = await alice.enclavectl(['verify', file, '--json'], { quiet: true });
  say.command('enclavectl verify forged.json');
  assert.equal(
    result.code,
    1,
    `a forged bundle ends with 1, not ${result.code}: ${result.stdout}${result.stderr}`,
  );
  const verdict = JSON.parse(result.stdout) as { ok: boolean; code: string; checks: Check[] };
  const failed = verdict.checks.find(({ ok }) => ok === false);
  assert.ok(!verdict.ok && failed, `a refused verdict names the check that failed: ${result.stdout}`);
  say.refusal(
    'the bundle',
    verdict.code,
    `${failed.name}: expected ${failed.expected}, got ${failed.actual}`,
  );
}
