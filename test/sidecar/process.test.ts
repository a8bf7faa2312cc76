import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { sidecarEnvironment } from '../../injection/template.ts';
import type { FakeAgent } from './fake-agent.ts';
import {
  agentFixture,
  dial,
  echoApp,
  podAddress,
  tokenFile,
  undo,
  undoAll,
  until,
} from './sidecar-fixture.ts';
import { ENCLAVE, keySha256, NODE, owner, rootsText, SERVER_NAME, userCredential } from './trust-fixture.ts';

/** The sidecar as it is shipped: one bundle, configured by nothing but the environment that injection writes. */
const folder = mkdtempSync(join(tmpdir(), 'bundle-'));

beforeAll(async () => {
  const bundle = await rolldown({ input: 'sidecar/main.ts', platform: 'node', logLevel: 'silent' });
  await bundle.write({ dir: folder, format: 'esm', entryFileNames: 'main.js' });
});
afterEach(undoAll);
afterAll(() => rmSync(folder, { recursive: true }));

function start(agent: FakeAgent, upstream: string, changes: Record<string, string> = {}) {
  const bind = podAddress();
  const fields: Record<string, string> = {
    'status.podIP': bind,
    'status.hostIP': agent.host,
    'spec.nodeName': NODE,
    'metadata.uid': 'u',
  };
  const env: Record<string, string> = {};
  for (const { name, value, valueFrom } of sidecarEnvironment({
    enclave: ENCLAVE,
    enclaveDomain: SERVER_NAME.slice(ENCLAVE.length + 1),
    ownerKeySha256: keySha256(owner),
    mode: 'tcp',
    upstream,
    auth: 'mtls',
    alpn: 'h2,http/1.1',
    keyType: 'p384',
    certificateLifetime: '24h',
    roots: rootsText,
  })) {
    const path = /"fieldPath":"([^"]+)"/.exec(JSON.stringify(valueFrom ?? {}))?.[1];
    env[name] = value ?? fields[path ?? ''] ?? '';
  }
  env['ENCLAVE_SIDECAR_TOKEN_FILE'] = tokenFile();
  env['ENCLAVE_SIDECAR_AGENT_PORT'] = String(agent.port);
  const child: ChildProcess = spawn(process.execPath, [join(folder, 'main.js')], {
    env: { ...env, ...changes },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
  const gone = once(child, 'exit');
  undo.push(async () => {
    child.kill('SIGKILL');
    await gone;
  });
  return { bind, child, gone, said: () => said };
}

const health = (bind: string, path: string): Promise<Response> => fetch(`http://${bind}:9464${path}`);

test('starts from its environment, serves, reports, and ends on SIGTERM', async () => {
  const agent = await agentFixture();
  const app = await echoApp();
  const { bind, child, gone, said } = start(agent, String(app.port));
  await until(
    async () => (await health(bind, '/readyz').catch(() => undefined))?.status === 200,
    'readiness',
  );
  const socket = await dial(bind, userCredential(owner), { ALPNProtocols: ['h2'] });
  expect(socket.getPeerX509Certificate()?.publicKey.asymmetricKeyDetails?.namedCurve).toBe('secp384r1');
  socket.write('hello');
  expect(String(await new Promise((resolve) => socket.once('data', resolve)))).toBe('hello');
  await dial(bind).then((refused) => once(refused, 'close'));
  const metrics = await (await health(bind, '/metrics')).text();
  expect(metrics).toContain('enclave_sidecar_connections_active 1\n');
  expect(metrics).toContain('enclave_sidecar_refusals_total{code="certificate-missing"} 1\n');
  expect(metrics).toMatch(/^# TYPE enclave_sidecar_attestation_seconds histogram$/m);
  socket.destroy();
  child.kill('SIGTERM');
  expect(await gone).toEqual([0, null]);
  expect(said()).toContain('certified and attested');
  expect(said()).not.toMatch(/the-token|PRIVATE KEY/);
  for (const line of said().trim().split('\n'))
    expect(JSON.parse(line)).toMatchObject({ component: 'sidecar' });
});

test.each<[string, Record<string, string>, string]>([
  ['no roots', { ENCLAVE_SIDECAR_ROOTS: '{"system":[]}' }, '--roots'],
  ['no owner', { ENCLAVE_SIDECAR_OWNER_KEY: '' }, '--owner-key is required with --auth mtls'],
  ['an upstream elsewhere', { ENCLAVE_SIDECAR_UPSTREAM: '10.0.0.1:80' }, '--upstream 10.0.0.1:80'],
  ['tokens without HTTP', { ENCLAVE_SIDECAR_AUTH: 'jwt' }, '--auth jwt needs --mode http'],
])('refuses to start with %s', async (_, changes, text) => {
  const agent = await agentFixture();
  const { gone, said } = start(agent, '8080', changes);
  expect(await gone).toEqual([2, null]);
  expect(
    said()
      .split('\n')
      .findLast((line) => line !== ''),
  ).toContain(text);
});

test('a port that is taken ends it with one clear line', async () => {
  const agent = await agentFixture();
  const { bind, gone, said } = start(agent, '8080');
  const squatter = createServer().listen(8443, bind);
  undo.push(() => squatter.close());
  expect(await gone).toEqual([1, null]);
  expect(said()).toContain(`${bind}:8443 is in use by another process`);
});

test('jose is a file of its own, loaded only where it is asked for', () => {
  expect(readdirSync(folder).length).toBeGreaterThan(1);
});
