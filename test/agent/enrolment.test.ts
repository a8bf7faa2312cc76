import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TpmOwner, type TpmSession } from '../../agent/attestation/tpm-owner.ts';
import { type AkCertificate, certificateOf } from '../../agent/enrolment/ak-certificates.ts';
import { enrol } from '../../agent/enrolment/enrol.ts';
import { stayEnrolled } from '../../agent/enrolment/stay-enrolled.ts';
import { agentMetrics } from '../../agent/metrics.ts';
import { equal } from '../../formats/bytes/bytes.ts';
import { encodePublic } from '../../formats/tpm/public.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { systemClock } from '../../platform/run/clock.ts';
import { liveValue } from '../../platform/run/live.ts';
import { readPcrs } from '../../tpm/quote.ts';
import { openTransport } from '../../tpm/transport/open-transport.ts';
import { type Behaviour, startFakeCertificateService } from '../support/fake-certificate-service.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { rootsOf, testAuthorities } from '../support/roots.ts';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { until } from '../support/until.ts';

const authorities = testAuthorities();
const roots = rootsOf(authorities);
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

async function certificateService(behaviour: Behaviour = {}) {
  const service = await startFakeCertificateService(authorities, behaviour);
  undo.push(service.close);
  return service;
}
type Client = Awaited<ReturnType<typeof certificateService>>['client'];

const settings = (client: Client) => ({
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
    expect(staying.problems[0]).toBe('nobody knows this TPM; list it');
    await staying.stop();
  });

  test('another TPM is another key: it is enrolled anew, and the old certificate is not used for it', async () => {
    const { client } = await certificateService();
    const staying = await stay(client);
    const first = await until('the key is enrolled', async () => staying.certificates.current()[0]);
    expect(staying.problems.at(-1)).toBeUndefined();
    const other = await startSwtpm();
    address = other.address;
    await swtpm.stop();
    await owner.use(async ({ tpm }) => readPcrs(tpm, { hash: 'sha256', pcrs: [0] })).catch(() => undefined);
    const second = await until('the other key is enrolled', async () => {
      const [held] = staying.certificates.current();
      return held !== undefined && !equal(held.attestationKeyPublic, first.attestationKeyPublic)
        ? held
        : undefined;
    });
    expect(second.attestationKeyPublic).toEqual(encodePublic((await session()).attestationKey.public));
    expect(certificateOf(staying.certificates.current(), first.attestationKeyPublic)).toBeUndefined();
    await staying.stop();
    address = swtpm.address;
    await swtpm.start();
    await other.remove();
    await until('the first TPM is used again', async () =>
      owner.use(async ({ tpm }) => readPcrs(tpm, { hash: 'sha256', pcrs: [0] })).catch(() => undefined),
    );
  });
});

async function stay(client: Client) {
  const folder = await mkdtemp(join(tmpdir(), 'enrol-'));
  await writeFile(join(folder, 'token'), 'the-token\n');
  const stopped = new AbortController();
  const problems: (string | undefined)[] = [];
  const certificates = liveValue<readonly AkCertificate[]>([]);
  const staying = stayEnrolled({
    owner,
    certificates,
    rotation: 'never',
    retired: () => [],
    enrolment: { client, crypto: nodeCrypto },
    tokenFile: join(folder, 'token'),
    roots: () => roots,
    clock: systemClock,
    log: recordingLogger().log,
    metrics: agentMetrics(recordingMetrics()),
    signal: stopped.signal,
    lookMs: 50,
    onState: (problem) => problems.push(problem),
  });
  const stop = async (): Promise<void> => {
    stopped.abort();
    await staying;
    await rm(folder, { recursive: true });
  };
  return { problems, certificates, stop };
}
