/** What the demo shows, in order. Each step asserts what it shows. */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ENABLED, INJECT_LABEL, INJECTION_LABEL } from '../../names/labels.ts';
import { imageReference } from '../cluster/catalogue.ts';
import { command } from '../cluster/command.ts';
import { ENCLAVE_NAMESPACE, type Environment } from '../cluster/environment.ts';
import { showMetrics } from './metrics.ts';
import type { Narrator } from './narrator.ts';
import { PROFILE, profileObject } from './operator.ts';
import { type Person, type PersonOptions, person, type Settings } from './people.ts';
import { refusals } from './refusals.ts';

const REQUEST = 'GET /greeting HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n';

export async function story(
  environment: Environment,
  settings: Settings,
  say: Narrator,
  signal: AbortSignal,
): Promise<void> {
  const profileFile = join(environment.directory, 'profile.yaml');
  writeFileSync(profileFile, stringify(profileObject(environment)));
  say.command('kubectl apply -f .demo/profile.yaml');
  say.output(await environment.kubectl(['apply', '-f', profileFile]));

  say.heading('The user: pin the roots, sign up, log in, launch');
  const alice = person('alice', environment.directory, settings, say, signal);
  await signIn(alice);
  const launch = (who: Person, options?: PersonOptions): Promise<string> =>
    launchAndList(who, profileFile, options);
  const enclave = await launch(alice);

  say.heading('A request over mutual TLS, to exactly the attested certificate');
  const answer = await alice.enclavectl(['connect', enclave, '--quiet'], { input: REQUEST });
  assert.equal(answer.code, 0, answer.stderr);
  assert.match(answer.stdout, /^HTTP\/1\.1 200 /);
  assert.match(answer.stdout, /"app":"demo-app"/);

  say.heading('The evidence, for auditors');
  const exported = join(alice.home, 'export');
  say.command(`enclavectl bundle export export --enclave ${enclave}`);
  await good(alice, ['bundle', 'export', exported, '--enclave', enclave], { quiet: true });
  const files = readdirSync(exported).length;
  say.note(`${files} files, each in its standard format; README.txt among them says how to check them`);
  say.command('sh export/verify.sh');
  const verified = await command('/bin/sh', [join(exported, 'verify.sh')], {
    // Debian's tools alone, and no Node.
    env: { PATH: '/usr/bin:/bin' },
    signal,
  });
  assert.equal(verified.code, 0, verified.stdout);
  say.output(
    verified.stdout
      .split('\n')
      .filter((line) => /^ok +(certificate-chain|quote-signature|pcr-digest) |^verdict: /.test(line))
      .join('\n'),
  );

  await refusals({ environment, settings, say, signal, alice, enclave, exported, signIn, launch });

  say.heading('The end of an enclave, and of a namespace');
  await good(alice, ['stop', enclave]);
  await bareAgain(environment, say);

  say.heading('Metrics');
  await showMetrics(environment, say);
}

async function signIn(who: Person, options?: PersonOptions): Promise<void> {
  await good(who, ['init'], options);
  for (const verb of ['signup', 'login'])
    await good(who, [verb, who.name, '--password-file', who.passwordFile], options);
}

async function launchAndList(who: Person, profileFile: string, options?: PersonOptions): Promise<string> {
  await good(who, ['launch', PROFILE, '--profile-file', profileFile], options);
  const list = await who.enclavectl(['ls', '--json'], { quiet: true });
  const enclave = (JSON.parse(list.stdout) as { enclaves: { id: string; state: string }[] }).enclaves.find(
    ({ state }) => state === 'ready',
  );
  assert.ok(enclave, `no ready enclave in ${list.stdout}`);
  return enclave.id;
}

async function good(who: Person, args: readonly string[], options?: PersonOptions): Promise<void> {
  const result = await who.enclavectl(args, options);
  assert.equal(result.code, 0, `enclavectl ${args[0]} ended with ${result.code}: ${result.stderr}`);
}

/** Without the label a pod of that namespace stays as it is. */
async function bareAgain({ kubectl, catalogue }: Environment, say: Narrator): Promise<void> {
  say.command(`kubectl label namespace ${ENCLAVE_NAMESPACE} ${INJECTION_LABEL}-`);
  say.output(await kubectl(['label', 'namespace', ENCLAVE_NAMESPACE, `${INJECTION_LABEL}-`]));
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'bare', namespace: ENCLAVE_NAMESPACE, labels: { [INJECT_LABEL]: ENABLED } },
    spec: {
      automountServiceAccountToken: false,
      containers: [{ name: 'app', image: imageReference(catalogue, 'demo-app'), args: ['--port', '0'] }],
    },
  };
  say.output(await kubectl(['apply', '-f', '-'], JSON.stringify(pod)));
  const names = await kubectl([
    ...['get', 'pod', 'bare', '-n', ENCLAVE_NAMESPACE],
    ...['-o', 'jsonpath={.spec.initContainers[*].name} {.spec.containers[*].name}'],
  ]);
  assert.equal(names.trim(), 'app', `a pod of an unlabelled namespace was injected: ${names}`);
  say.note(`containers of pod bare: ${names.trim()} (no sidecar)`);
  await kubectl(['delete', 'pod', 'bare', '-n', ENCLAVE_NAMESPACE]);
}
