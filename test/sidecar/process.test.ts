import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { EVIDENCE_ALPN } from '../../names/wire.ts';
import { bundle } from '../../tools/bundle.ts';
import { loopbackAddress } from '../support/loopback-block.ts';
import { until } from '../support/until.ts';
import type { FakeAgent } from './fake-agent.ts';
import {
  agentFixture,
  dial,
  drainOf,
  echoApp,
  httpOver,
  tokenFile,
  undo,
  undoAll,
} from './sidecar-fixture.ts';
import { startSidecarProcess } from './sidecar-process.ts';
import { owner, signedTrust, trustDocument, userCredential } from './trust-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'bundle-'));
const main = join(folder, 'main.js');

beforeAll(() => bundle({ entry: 'sidecar/main.ts', directory: folder, file: 'main', small: true }));
afterEach(undoAll);
afterAll(() => rmSync(folder, { recursive: true }));

function start(agent: FakeAgent, upstream: string, changes: Record<string, string> = {}) {
  const bind = loopbackAddress();
  const started = startSidecarProcess({ main, bind, agent, upstream, tokenFile: tokenFile(), changes });
  undo.push(async () => {
    started.child.kill('SIGKILL');
    await started.gone;
  });
  return { bind, ...started };
}

const health = (bind: string, path: string): Promise<Response> => fetch(`http://${bind}:9464${path}`);

test('starts from its environment, serves, reports, and ends on SIGTERM', async () => {
  const agent = await agentFixture();
  const app = await echoApp();
  const { bind, child, gone, said } = start(agent, String(app.port), {
    ENCLAVE_SIDECAR_KEY_TYPE: 'p384',
  });
  await until(
    'readiness',
    async () => (await health(bind, '/readyz').catch(() => undefined))?.status === 200,
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

test('without a young trust document data is refused to all, open connections too, evidence is served, and the next document mends it', async () => {
  const agent = await agentFixture();
  const app = await echoApp();
  const { bind } = start(agent, String(app.port), { ENCLAVE_SIDECAR_TRUST_LIMIT: '3s' });
  const ready = async () => {
    const answer = await health(bind, '/readyz').catch(() => undefined);
    return { status: answer?.status, text: (await answer?.text()) ?? '' };
  };
  let version = 1;
  const publish = (): void => {
    version += 1;
    agent.publish(signedTrust(trustDocument(version)));
  };
  const readyAgain = () =>
    until('readiness', async () => {
      publish();
      return (await ready()).status === 200;
    });
  await readyAgain();
  // The last one that comes for a while.
  const open = await dial(bind, userCredential(owner));
  const ended = drainOf(open);
  open.write('before');
  await until('readiness says why', async () => (await ready()).text.includes('(trust-document-stale)'));
  expect((await ready()).status).toBe(503);
  expect(await ended).toBe('before');
  expect(await drainOf(await dial(bind, userCredential(owner)))).toBe('');
  const evidence = async (path: string) =>
    httpOver(await dial(bind, userCredential(owner), { ALPNProtocols: [EVIDENCE_ALPN] }), path);
  expect((await evidence(`/v1/evidence?nonce=${'A'.repeat(43)}`)).status).toBe(200);
  expect((await evidence('/v1/access-decision')).body).toContain('"trust-document-stale"');

  await readyAgain();
  const again = await dial(bind, userCredential(owner));
  const answer = drainOf(again);
  again.end('after');
  expect(await answer).toBe('after');
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
