import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toHex } from '../../formats/bytes/bytes.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import { parseStatement } from '../../formats/evidence/statement.ts';
import { AGENT_PATHS } from '../../names/wire.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { dialTls } from '../../platform/tls/dial.ts';
import { parsePolicy } from '../../verify/policy/parse-policy.ts';
import { verify } from '../../verify/verify.ts';
import { AGENT_PORT, type AgentWorld, ENCLAVES, startAgentWorld } from '../support/agent-world.ts';
import { until } from '../support/until.ts';
import { SidecarCalls } from './sidecar-calls.ts';

let world: AgentWorld;
const open: SidecarCalls[] = [];

beforeAll(async () => {
  world = await startAgentWorld({ agentArgs: async () => ['--max-waiting-per-pod=8'] });
}, 60_000);
afterAll(async () => {
  for (const calls of open) calls.close();
  await world?.stop();
});

function sidecarAt(address: string, token: string | undefined): SidecarCalls {
  const calls = new SidecarCalls(world, address, token);
  open.push(calls);
  return calls;
}

async function sidecar(name: string, edit?: Parameters<AgentWorld['enclave']>[1]) {
  const { pod, address } = await world.enclave(name, edit);
  const token = await world.token(pod);
  return { pod, address, token, calls: sidecarAt(address, token) };
}

const nonce = (): Uint8Array => new Uint8Array(randomBytes(32));

function verdict(bundle: Bundle, expected: Uint8Array) {
  const policy = parsePolicy({
    roots: ['any'],
    eks: ['any'],
    pcrs: { accept: 'any' },
    namespaces: [ENCLAVES],
    serviceAccounts: ['default'],
    enclaves: ['any'],
    images: [world.appImage, world.injection.sidecarImage],
    specSha256: ['any'],
    modes: ['tcp'],
    auth: ['mtls'],
    upstream: ['any'],
    ownerKeys: ['ab'.repeat(32)],
    maxAge: 60,
    allowEmulatedTpm: true,
  });
  if (!policy.ok) throw new Error(policy.message);
  return verify(bundle, policy.value, {
    crypto: nodeCrypto,
    now: Math.floor(Date.now() / 1000),
    trust: world.roots,
    nonce: expected,
    liveCertificate: bundle.certificateChain[0] ?? new Uint8Array(0),
  });
}

describe('agent', () => {
  test('proves a key, gets its certificate, quotes it: a verifier believes every part', async () => {
    const { calls, pod } = await sidecar('believed');
    const credential = await calls.credential();
    const first = nonce();
    const bundle = await calls.quote(first, credential);
    const judged = verdict(bundle, first);
    expect(judged.checks.filter(({ ok }) => ok === false)).toEqual([]);
    expect(judged.ok).toBe(true);
    expect(judged.statement?.pod).toMatchObject({
      uid: pod.metadata?.uid,
      node: world.node,
      enclave: 'believed',
    });
    // The connection has shown its certificate: the next quotes need the nonce alone.
    const second = nonce();
    expect(verdict(await calls.quote(second), second).ok).toBe(true);
    expect(verdict(await calls.quote(second), first).code).toBe('nonce-differs');
    // Without a nonce it is the epoch of the trust document.
    const epoch = (await calls.trust(0))?.epoch.current ?? nonce();
    const statement = parseStatement((await calls.quote(new Uint8Array(0))).statement);
    expect(statement.ok && statement.value.eat_nonce).toBe(Buffer.from(epoch).toString('base64url'));
  });

  test('wrong requests are named and cost the connection nothing', async () => {
    const { calls } = await sidecar('wrong');
    const { calls: other } = await sidecar('other');
    const foreign = await other.credential();
    const codes = async (...answers: Promise<{ status: number; code?: string }>[]) =>
      (await Promise.all(answers)).map(({ status, code }) => `${status} ${code}`);
    expect(
      await codes(
        calls.quoteAnswer(nonce()),
        calls.quoteAnswer(nonce(), foreign),
        calls.certify(calls.request()),
        calls.certify(Uint8Array.of(1, 2, 3)),
        calls.call('POST', AGENT_PATHS.prove, Uint8Array.of(255)),
        calls.call('POST', AGENT_PATHS.prove, Uint8Array.of(1), 'text/plain'),
        calls.call('GET', AGENT_PATHS.prove),
        calls.call('GET', '/v1/nothing'),
        calls.call('GET', `${AGENT_PATHS.trust}?version=x`),
      ),
    ).toEqual([
      '409 certificate-needed',
      '400 certificate-pod',
      '400 certificate-request',
      '400 certificate-request',
      '400 request-malformed',
      '415 request-media-type',
      '405 request-method',
      '404 request-path',
      '400 request-malformed',
    ]);
    const last = await calls.call('POST', AGENT_PATHS.prove, new Uint8Array(9000));
    expect(last).toMatchObject({ status: 413, code: 'request-too-large', reusedSocket: true });
  });

  test('a flood of pipelined requests is answered with refusals, in order, and harms nobody', async () => {
    const { address, token, calls } = await sidecar('flood');
    const socket = await dialTls({
      host: world.agentHost,
      port: AGENT_PORT,
      serverName: world.agentName,
      roots: world.roots.system,
      localAddress: address,
    });
    const get = `GET ${AGENT_PATHS.trust}?version=999999 HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token}\r\n\r\n`;
    const metric = async (): Promise<number> => {
      const text = await (await fetch(`http://${world.agentHost}:9464/metrics`)).text();
      return Number(
        /^enclave_agent_requests_total\{path="\/v1\/trust",code="caller-connections"\} (\d+)$/m.exec(
          text,
        )?.[1],
      );
    };
    socket.on('error', () => undefined);
    socket.write(get.repeat(200));
    // Not all of them: Node stops reading when too many answers wait behind the first.
    await until('most are refused', async () => (await metric()) > 20);
    expect((await calls.trust(0))?.version).toBeGreaterThan(0);
    socket.destroy();
  });

  test('another pod’s evidence is not certified', async () => {
    const { calls } = await sidecar('one');
    const { calls: other } = await sidecar('two');
    const evidence = await other.prove();
    expect(await calls.certify(calls.request(evidence))).toMatchObject({
      status: 400,
      code: 'certificate-request',
    });
  });

  test('many quotes at once share batches', async () => {
    const { calls, address, token } = await sidecar('many');
    const credential = await calls.credential();
    const connections = Array.from({ length: 8 }, () => sidecarAt(address, token));
    await Promise.all(connections.map((each) => each.quote(nonce(), credential)));
    // On a busy machine one round's requests may come so far apart that each finds the TPM free.
    await until('statements share a quote', async () => {
      const bundles = await Promise.all(
        connections.flatMap((each) => [each.quote(nonce()), each.quote(nonce()), each.quote(nonce())]),
      );
      expect(bundles).toHaveLength(24);
      return new Set(bundles.map(({ attest }) => toHex(attest))).size < bundles.length;
    });
    const metrics = await (await fetch(`http://${world.agentHost}:9464/metrics`)).text();
    expect(metrics).toMatch(/^enclave_agent_seals_total\{result="ok"\} [1-9]/m);
    expect(metrics).toMatch(/^enclave_agent_tpm_up 1$/m);
    expect(metrics).toMatch(/^enclave_agent_tpm_command_seconds_count{command="TPM2_Quote"} [1-9]/m);
    expect(metrics).toMatch(/^enclave_agent_queue_wait_seconds_count [1-9]/m);
  });

  test('a pod that asks too much is told when to come again; another one’s statement waits with its', async () => {
    const { address, token, calls: first } = await sidecar('greedy');
    const { calls: other } = await sidecar('modest');
    const [credential, others] = await Promise.all([first.credential(), other.credential()]);
    const greedy = Array.from({ length: 15 }, () => sidecarAt(address, token));
    // One by one: all at once would be too much already.
    for (const each of greedy) await each.quote(nonce(), credential);
    await other.quote(nonce(), others);
    await world.cluster.stopTpm(world.node);
    const flood = greedy.map((each) => each.quoteAnswer(nonce()));
    await until('what is too much is refused', async () => {
      const text = await (await fetch(`http://${world.agentHost}:9464/metrics`)).text();
      return text.includes('enclave_agent_turned_away_total{code="caller-busy"} 6');
    });
    const modest = other.quoteAnswer(nonce());
    await world.cluster.startTpm(world.node);
    const busy = (await Promise.all(flood)).filter(({ code }) => code === 'caller-busy');
    // Of 15, one was at the TPM and eight waited.
    expect(busy).toHaveLength(6);
    for (const { status, body } of busy) {
      const problem = JSON.parse(Buffer.from(body).toString());
      expect([status, problem.remedy]).toEqual([429, `try again in ${problem.retryAfterMs} ms`]);
    }
    // A machine under load may take longer to bring the TPM back than a statement waits.
    expect(['ok', 'tpm-unavailable']).toContain((await modest).code ?? 'ok');
    await until('quotes come again', async () => other.quote(nonce()).catch(() => undefined));
  });

  test('a TPM that stops is said clearly, and serves again when it is back', async () => {
    const { calls } = await sidecar('tpm');
    const credential = await calls.credential();
    await world.cluster.stopTpm(world.node);
    expect(await calls.quoteAnswer(nonce(), credential)).toMatchObject({
      status: 503,
      code: 'tpm-unavailable',
    });
    await world.cluster.startTpm(world.node);
    const own = nonce();
    const bundle = await until('quotes come again', async () =>
      calls.quote(own, credential).catch(() => undefined),
    );
    expect(verdict(bundle, own).ok).toBe(true);
  });

  test('an agent that was killed is back with the same attestation key', async () => {
    const { calls } = await sidecar('killed');
    const credential = await calls.credential();
    const before = await calls.quote(nonce(), credential);
    const [first] = (await world.log('agent')).split('\n');
    process.kill(JSON.parse(first ?? '').pid, 'SIGKILL');
    const own = nonce();
    const after = await until('quotes come again', async () =>
      calls.quote(own, credential).catch(() => undefined),
    );
    expect(verdict(after, own).ok).toBe(true);
    expect(toHex(after.attestationKeyPublic)).toBe(toHex(before.attestationKeyPublic));
  });

  test('an API server that goes away and comes back', async () => {
    const { pod, address } = await world.enclave('away');
    const token = await world.token(pod);
    await world.cluster.suspendApi();
    const calls = sidecarAt(address, token);
    const away = await calls.call('GET', `${AGENT_PATHS.trust}?version=0`);
    expect(away).toMatchObject({ status: 503, code: 'api-server-unavailable' });
    await world.cluster.resumeApi();
    await until('the caller is known again', async () => calls.trust(0).catch(() => undefined));
    expect((await calls.credential()).chain).toHaveLength(1);
  });
});
