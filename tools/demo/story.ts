/** What the demo shows, in order. Each step asserts what it shows. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENABLED, INJECT_LABEL, INJECTION_LABEL } from '../../names/labels.ts';
import { SIDECAR_CONTAINER } from '../../names/sidecar.ts';
import { imageReference } from '../cluster/catalogue.ts';
import { mustRun } from '../cluster/command.ts';
import { ENCLAVE_NAMESPACE, type Environment } from '../cluster/environment.ts';
import { showMetrics } from './metrics.ts';
import type { Narrator } from './narrator.ts';
import { PROFILE, profileObject } from './operator.ts';
import { type Person, person, type Settings } from './people.ts';
import { refusals } from './refusals.ts';

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
  say.command(`enclavectl bundle export export --enclave ${enclave}`);
  await good(alice, ['bundle', 'export', exported, '--enclave', enclave], { quiet: true });
  say.note(`${readdirSync(exported).length} files, each in its standard format`);
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

async function good(
  who: Person,
  args: readonly string[],
  options?: { readonly quiet: boolean },
): Promise<void> {
  const result = await who.enclavectl(args, options);
  assert.equal(result.code, 0, `enclavectl ${args[0]} ended with ${result.code}: ${result.stderr}`);
}

async function askWithCurl(say: Narrator, folder: string): Promise<void> {
  const bundle = JSON.parse(readFileSync(join(folder, 'bundle.json'), 'utf8')) as {
    endpoint: string;
    serverName: string;
  };
  const [host, port] = bundle.endpoint.split(':');
  const url = `https://${bundle.serverName}:${port}/greeting`;
  say.command(`curl --cacert roots-enclaves.pem --cert user-certificate.pem --key user-key.pem ${url}`);
  const answer = await mustRun('curl', [
    ...['--silent', '--show-error', '--fail', '--max-time', '10'],
    ...['--cacert', join(folder, 'roots-enclaves.pem')],
    ...['--cert', join(folder, 'user-certificate.pem'), '--key', join(folder, 'user-key.pem')],
    ...['--resolve', `${bundle.serverName}:${port}:${host}`, url],
  ]);
  assert.equal((JSON.parse(answer) as { app: string }).app, 'demo-app');
  say.output(answer);
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
  assert.ok(!names.includes(SIDECAR_CONTAINER));
  say.note(`containers of pod bare: ${names.trim()} (no sidecar)`);
  await kubectl(['delete', 'pod', 'bare', '-n', ENCLAVE_NAMESPACE]);
}
