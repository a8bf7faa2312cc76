import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TpmOwner, type TpmSession } from '../../agent/attestation/tpm-owner.ts';
import { type AkCertificate, enrol } from '../../agent/enrolment/enrol.ts';
import { stayEnrolled } from '../../agent/enrolment/stay-enrolled.ts';
import { agentMetrics } from '../../agent/metrics.ts';
import { equal } from '../../formats/bytes/bytes.ts';
import { decodePublic, encodePublic, objectName, publicToSpki } from '../../formats/tpm/public.ts';
import { buildCertificate } from '../../formats/x509/certificate.ts';
import { OID_EKU_AK } from '../../names/oids.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { createHealth } from '../../platform/health/health.ts';
import { createRpcClient } from '../../platform/rpc/rpc-client.ts';
import { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import { createRpcServer } from '../../platform/rpc/rpc-server.ts';
import { systemClock } from '../../platform/run/clock.ts';
import { liveValue } from '../../platform/run/live.ts';
import { EnrolmentServiceService } from '../../proto/gen/enclave_licensing/enrolment/v1/enrolment_service.ts';
import { makeCredential } from '../../tpm/make-credential.ts';
import { readPcrs } from '../../tpm/quote.ts';
import { openTransport } from '../../tpm/transport/open-transport.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { rootsOf, testAuthorities } from '../support/roots.ts';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { until } from '../support/until.ts';

const authorities = testAuthorities();
const issuer = authorities['attestation-keys'];
const roots = rootsOf(authorities);
const NAME = 'certs.test';
const undo: (() => unknown)[] = [];
let swtpm: Swtpm;
let address: string;
let owner: TpmOwner;

beforeAll(async () => {
  swtpm = await startSwtpm();
  address = swtpm.address;
  const stopped = new AbortController();
  owner = new TpmOwner({
    open: () => openTransport(address),
    log: recordingLogger().log,
    patienceMs: 1000,
    heartbeatMs: 200,
    onUp: () => {},
    onDown: () => {},
    onFailure: () => {},
  });
  const running = owner.run(stopped.signal);
  undo.push(async () => {
    stopped.abort();
    await running;
    await swtpm.remove();
  });
});
afterAll(async () => {
  for (const each of undo.reverse()) await each();
});

/** A certificate service of the test: a real server that makes real credentials. */
async function certificateService(
  behaviour: { wrongName?: boolean; wrongKey?: boolean; refuse?: boolean } = {},
) {
  const seen: string[] = [];
  const server = createRpcServer({
    tls: liveValue({ credential: authorities.system.issue({ dns: [NAME] }) }),
    log: recordingLogger().log,
    health: createHealth(),
    metrics: recordingMetrics(),
    maxRequestBytes: 32 * 1024,
  });
  server.add(EnrolmentServiceService, {
    enrol: async function* (requests, call) {
      seen.push(call.bearerToken ?? 'none');
      if (behaviour.refuse)
        throw new RpcRefusal('PERMISSION_DENIED', {
          code: 'ek-untrusted',
          message: 'nobody knows this TPM',
          remedy: 'x',
        });
      const steps = requests[Symbol.asyncIterator]();
      const hello = (await steps.next()).value?.step;
      if (hello?.$case !== 'hello') throw new Error('no hello');
      const ek = decodePublic(hello.value.endorsementKeyPublic);
      const ak = decodePublic(hello.value.attestationKeyPublic);
      if (!ek.ok || !ak.ok) throw new Error('no keys');
      const name = objectName(nodeCrypto, behaviour.wrongName ? ek.value : ak.value);
      const secret = new Uint8Array(32).fill(9);
      const made = name.ok ? makeCredential(ek.value, name.value, secret) : name;
      if (!made.ok) throw new Error(made.message);
      yield { step: { $case: 'challenge' as const, value: made.value } };
      const activation = (await steps.next()).value?.step;
      if (activation?.$case !== 'activation' || !equal(activation.value.secret, secret))
        throw new Error('no secret');
      const spki = publicToSpki(behaviour.wrongKey ? ek.value : ak.value);
      if (!spki.ok) throw new Error(spki.message);
      yield {
        step: {
          $case: 'certificate' as const,
          value: { certificateChain: [certificate(spki.value)] },
        },
      };
    },
  });
  const port = await server.listen('127.0.0.1', 0);
  const client = createRpcClient(EnrolmentServiceService, {
    address: { host: '127.0.0.1', port },
    serverName: NAME,
    roots: liveValue<readonly Uint8Array[]>([authorities.system.root]),
    maxResponseBytes: 64 * 1024,
  });
  undo.push(() => server.close(100));
  undo.push(() => client.close());
  return { client, seen };
}

const certificate = (spki: Uint8Array): Uint8Array => {
  const now = Math.floor(Date.now() / 1000);
  return buildCertificate(
    {
      serial: new Uint8Array(16).fill(0x42),
      issuer: { commonName: 'attestation-keys' },
      subject: { commonName: 'node-1' },
      notBefore: now - 60,
      notAfter: now + 600,
      spki,
      extensions: {
        basicConstraints: { ca: false },
        keyUsage: ['digitalSignature'],
        extendedKeyUsage: [OID_EKU_AK],
        tpmTrust: { ekSha256: 'ab'.repeat(32), how: 'emulated' },
      },
    },
    issuer.key.sign,
    issuer.key.scheme,
  );
};

const settings = (client: Awaited<ReturnType<typeof certificateService>>['client']) => ({
  client,
  crypto: nodeCrypto,
  roots,
  now: Math.floor(Date.now() / 1000),
  token: 'the-token',
  signal: AbortSignal.timeout(10_000),
});
const session = (): Promise<TpmSession> => owner.use(async (own) => own);

describe('enrolment', () => {
  test('proves the key by activation and returns its certificate', async () => {
    const { client, seen } = await certificateService();
    const enrolled = await enrol(await session(), settings(client));
    if (!enrolled.ok) throw new Error(enrolled.message);
    expect(enrolled.value.chain).toHaveLength(1);
    expect(seen).toEqual(['the-token']);
  });

  test('a challenge for another key is not answered', async () => {
    const { client } = await certificateService({ wrongName: true });
    expect(await enrol(await session(), settings(client))).toMatchObject({
      ok: false,
      code: 'enrolment-credential',
    });
  });

  test('a certificate for another key, or by a stranger, is not taken', async () => {
    const wrong = await certificateService({ wrongKey: true });
    const code = 'enrolment-certificate';
    expect(await enrol(await session(), settings(wrong.client))).toMatchObject({ ok: false, code });
    const right = await certificateService();
    const strangers = { ...settings(right.client), roots: { ...roots, 'attestation-keys': roots.users } };
    expect(await enrol(await session(), strangers)).toMatchObject({ ok: false, code });
  });

  test('a refusal is shown with its reason', async () => {
    const { client } = await certificateService({ refuse: true });
    const staying = await stay(client);
    await until('a problem is shown', async () => staying.problems[0]);
    expect(staying.problems[0]).toContain('nobody knows this TPM');
    await staying.stop();
  });

  test('another TPM is another key: it is enrolled anew, and the old certificate is not used for it', async () => {
    const { client } = await certificateService();
    const staying = await stay(client);
    const first = await until('the key is enrolled', async () => staying.certificate.current());
    expect(staying.problems.at(-1)).toBeUndefined();
    const other = await startSwtpm();
    address = other.address;
    await swtpm.stop();
    await owner.use(async ({ tpm }) => readPcrs(tpm, { hash: 'sha256', pcrs: [0] })).catch(() => undefined);
    const second = await until('the other key is enrolled', async () => {
      const held = staying.certificate.current();
      return held !== undefined && !equal(held.attestationKeyPublic, first.attestationKeyPublic)
        ? held
        : undefined;
    });
    expect(second.attestationKeyPublic).toEqual(encodePublic((await session()).attestationKey.public));
    await staying.stop();
    address = swtpm.address;
    await swtpm.start();
    await other.remove();
    await until('the first TPM is used again', async () =>
      owner.use(async ({ tpm }) => readPcrs(tpm, { hash: 'sha256', pcrs: [0] })).catch(() => undefined),
    );
  });
});

async function stay(client: Awaited<ReturnType<typeof certificateService>>['client']) {
  const folder = await mkdtemp(join(tmpdir(), 'enrol-'));
  await writeFile(join(folder, 'token'), 'the-token\n');
  const stopped = new AbortController();
  const problems: (string | undefined)[] = [];
  const certificate = liveValue<AkCertificate | undefined>(undefined);
  const staying = stayEnrolled({
    owner,
    certificate,
    enrolment: { client, crypto: nodeCrypto },
    tokenFile: join(folder, 'token'),
    roots: () => roots,
    clock: systemClock,
    log: recordingLogger().log,
    metrics: agentMetrics(recordingMetrics()),
    signal: stopped.signal,
    onState: (problem) => problems.push(problem),
  });
  const stop = async (): Promise<void> => {
    stopped.abort();
    await staying;
    await rm(folder, { recursive: true });
  };
  return { problems, certificate, stop };
}
