import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ENCLAVE_LABEL } from '../../names/labels.ts';
import { PORTS } from '../../names/wire.ts';
import { mustRun } from '../../tools/cluster/command.ts';
import { ENCLAVE_NAMESPACE } from '../../tools/cluster/environment.ts';
import { request } from '../../tools/demo/data-connection.ts';
import type { Person } from '../../tools/demo/people.ts';
import { forwarded } from '../support/forwarded.ts';
import { until } from '../support/until.ts';
import { type LaunchOutcome, launch, startWorld, succeed, type World } from '../support/world.ts';

/** Where users are: at the node ports and the proxy. */
let world: World;
let alice: Person;
let launched: LaunchOutcome;
let bundle: { endpoint: string; serverName: string };
let podAddress: string;
let folder: string;

beforeAll(async () => {
  world = await startWorld();
  alice = await world.user('alice');
  launched = await launch(alice);
  expect(launched.code, launched.output).toBe(0);
  const [pod] = (await world.pods()).filter(({ metadata }) => metadata.name === launched.enclave);
  podAddress = pod?.status.podIP ?? '';
  folder = join(alice.home, 'export');
  await succeed(alice, ['bundle', 'export', folder, '--enclave', launched.enclave]);
  bundle = JSON.parse(readFileSync(join(folder, 'bundle.json'), 'utf8')) as typeof bundle;
});
afterAll(() => world?.stop());

/** What the app answers to a request through `connect`. */
async function asked(args: readonly string[], path: string): Promise<unknown> {
  const connection = await forwarded(alice, world.settings, [launched.enclave, ...args]);
  try {
    return await (await fetch(`http://127.0.0.1:${connection.port}${path}`)).json();
  } finally {
    await connection.stop();
  }
}

/** Whether anything answers there within two seconds. */
function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2000 });
    const end = (is: boolean) => () => {
      socket.destroy();
      resolve(is);
    };
    socket.on('connect', end(true)).on('error', end(false)).on('timeout', end(false));
  });
}

test('launched through a node port of front: verified, and the endpoint is the proxy, not the pod', async () => {
  expect(launched.output).toMatch(/\bready\b/);
  expect(bundle.endpoint).not.toContain(podAddress);
});

test('mutual TLS through a proxy that forwards by server name', async () => {
  expect(await asked([], '/proxy')).toMatchObject({ app: 'demo-app', path: '/proxy' });
});

test('mutual TLS through a node port of one enclave, at any node', async () => {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: launched.enclave, namespace: ENCLAVE_NAMESPACE },
    spec: {
      type: 'NodePort',
      selector: { [ENCLAVE_LABEL]: launched.enclave },
      ports: [{ port: PORTS.sidecar }],
    },
  };
  const { kubectl, cluster } = world.environment;
  await kubectl(['apply', '-f', '-'], JSON.stringify(service));
  const of = ['service', launched.enclave, '-n', ENCLAVE_NAMESPACE];
  const nodePort = await kubectl(['get', ...of, '-o', 'jsonpath={.spec.ports[0].nodePort}']);
  for (const { address, name } of cluster.nodes) {
    await until('the node forwards', () => answers(address, Number(nodePort)));
    expect(await asked(['--endpoint', `${address}:${nodePort}`], `/${name}`)).toMatchObject({
      path: `/${name}`,
    });
  }
  await kubectl(['delete', ...of]);
});

test('the proxy holds no key: what answers is the attested certificate, by openssl; an unknown name gets nothing', async () => {
  const dial = (serverName: string, more: readonly string[] = []): Promise<string> =>
    mustRun('openssl', [
      ...['s_client', '-connect', bundle.endpoint, '-servername', serverName, '-tls1_3', ...more],
    ]);
  const verified = ['-CAfile', `${folder}/roots-enclaves.pem`, '-verify_return_error'];
  const live = /-----BEGIN CERTIFICATE-----[^-]+-----END/.exec(await dial(bundle.serverName, verified))?.[0];
  const quoted = await mustRun('openssl', ['x509', '-inform', 'DER', '-in', `${folder}/certificate.der`]);
  expect(quoted).toContain(live);
  await expect(dial(`nobody${bundle.serverName.slice(bundle.serverName.indexOf('.'))}`)).rejects.toThrow();
  await expect(dial('example.org')).rejects.toThrow();
});

test('a stranger at the proxy gets no byte of the app', async () => {
  expect(await request(bundle.endpoint, { serverName: bundle.serverName })).toMatchObject({ text: '' });
});
