import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { QuoteQueue } from '../../agent/attestation/quote-queue.ts';
import { type AgentQuote, Quoter } from '../../agent/attestation/quoter.ts';
import { TpmOwner } from '../../agent/attestation/tpm-owner.ts';
import { Attestor } from '../../agent/calls/attestor.ts';
import type { AkCertificate } from '../../agent/enrolment/ak-certificates.ts';
import { stayEnrolled } from '../../agent/enrolment/stay-enrolled.ts';
import { agentMetrics } from '../../agent/metrics.ts';
import { equal, toHex } from '../../formats/bytes/bytes.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import { HANDLE_RANGES } from '../../formats/tpm/handles.ts';
import { decodePublic, publicToSpki } from '../../formats/tpm/public.ts';
import { decodeSignature, signatureToScheme } from '../../formats/tpm/signature.ts';
import { EK_ECC_P256 } from '../../formats/tpm/templates.ts';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { systemClock } from '../../platform/run/clock.ts';
import { liveValue } from '../../platform/run/live.ts';
import { TrustHolder } from '../../platform/trust/trust-holder.ts';
import {
  AK_HANDLE,
  AK_SUCCESSOR_HANDLE,
  createSuccessor,
  successorHandle,
} from '../../tpm/attestation-key.ts';
import { createEndorsementPrimary, evict, flush, handlesFrom } from '../../tpm/objects.ts';
import { quote } from '../../tpm/quote.ts';
import { openTransport } from '../../tpm/transport/open-transport.ts';
import { startFakeCertificateService } from '../support/fake-certificate-service.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { rootsOf, testAuthorities } from '../support/roots.ts';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { documentOf } from '../support/trust-documents.ts';
import { until } from '../support/until.ts';
import { withTpm } from '../support/with-tpm.ts';

const authorities = testAuthorities();
const roots = rootsOf(authorities);
const undo: (() => unknown)[] = [];
let swtpm: Swtpm;

beforeAll(async () => {
  swtpm = await startSwtpm();
  // Without a persistent endorsement key each enrolment loads one: with the successor and the key that quotes, all that a TPM has room for.
  await withTpm(swtpm, async (tpm) => {
    for (const handle of await handlesFrom(tpm, HANDLE_RANGES.persistent)) await evict(tpm, handle, handle);
  });
});
afterAll(async () => {
  for (const each of undo.reverse()) await each();
  await swtpm?.remove();
});

const AK_HANDLES: readonly number[] = [AK_HANDLE, AK_SUCCESSOR_HANDLE];
const persistent = (owner: TpmOwner) => owner.use(({ tpm }) => handlesFrom(tpm, HANDLE_RANGES.persistent));

const HASH = 'ab'.repeat(32);
const claims = {
  sub: 'spiffe://enclave-licensing.internal/ns/team/sa/default',
  pod: {
    namespace: 'team',
    name: 'enclave',
    uid: '0b6ae5cc-1f43-4b5c-9d0e-6f4a5a0d7c11',
    serviceAccount: 'default',
    node: 'node-1',
    enclave: 'eabcdefghijklmno',
    images: [{ container: 'app', image: `registry.example/app@sha256:${HASH}` }],
    specSha256: HASH,
  },
  access: { mode: 'http', upstream: 'pod:8080', auth: 'mtls', ownerKeySha256: HASH, rootsSha256: HASH },
} as const;

/** The agent's half that makes evidence, over a real TPM and a certificate service of the test. */
async function agent(given: { lifetime?: number; rotation?: 'never' | 'on-renewal' } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'rotate-'));
  await writeFile(join(folder, 'token'), 'the-token\n');
  const stopped = new AbortController();
  const { log, lines } = recordingLogger();
  const recorded = recordingMetrics();
  const metrics = agentMetrics(recorded);
  const owner = new TpmOwner({
    open: () => openTransport(swtpm.address),
    log,
    patienceMs: 1000,
    onUp: () => {},
    onDown: () => {},
    onFailure: () => {},
  });
  const certificates = liveValue<readonly AkCertificate[]>([]);
  const service = await startFakeCertificateService(
    authorities,
    given.lifetime === undefined ? {} : { lifetime: given.lifetime },
  );
  const asked: { retired?: string } = {};
  const running = [
    owner.run(stopped.signal),
    stayEnrolled({
      owner,
      certificates,
      enrolment: { client: service.client, crypto: nodeCrypto },
      tokenFile: join(folder, 'token'),
      roots: () => roots,
      rotation: given.rotation ?? 'never',
      retired: () => (asked.retired === undefined ? [] : [asked.retired]),
      clock: systemClock,
      log,
      metrics,
      signal: stopped.signal,
      lookMs: 50,
      onState: () => {},
    }),
  ];
  const trust = new TrustHolder(nodeCrypto, roots);
  const offered = trust.offer(documentOf(authorities.system, 1, roots));
  if (!offered.ok) throw new Error(offered.message);
  const quoter = new Quoter(nodeCrypto);
  const queue = new QuoteQueue<AgentQuote>({
    crypto: nodeCrypto,
    maxWaiting: 1000,
    maxWaitingPerPod: 1000,
    metrics,
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
    seal: (qualifyingData) =>
      owner.use((session) => quoter.quote(session, { hash: 'sha256', pcrs: [0] }, qualifyingData)),
  });
  const attestor = new Attestor({ queue, certificates, trust, clock: systemClock });
  undo.push(async () => {
    stopped.abort();
    await Promise.all(running);
    await service.close();
    await rm(folder, { recursive: true, force: true });
  });
  await until('the key is enrolled', async () => certificates.current()[0]);
  const evidence = () =>
    attestor.evidence({
      claims,
      confirmation: { 'x5t#S256': 'A'.repeat(43) },
      nonce: new Uint8Array(randomBytes(32)),
      certificateChain: [],
    });
  const stop = undo.at(-1) as () => Promise<void>;
  return { owner, certificates, evidence, asked, values: recorded.values, lines, stop };
}

/** SHA-256 of the SPKI of the key that a bundle was quoted with, checked: the certificate is that key's, and it signed. */
function quotingKey(bundle: Bundle): string {
  const key = decodePublic(bundle.attestationKeyPublic);
  const spki = key.ok ? publicToSpki(key.value) : key;
  const leaf = parseCertificate(bundle.attestationKeyCertificateChain[0] ?? new Uint8Array());
  const signature = decodeSignature(bundle.signature);
  const scheme = signature.ok ? signatureToScheme(signature.value) : signature;
  if (!spki.ok || !leaf.ok || !scheme.ok) throw new Error('not evidence');
  const { verifySignature, hash } = nodeCrypto;
  if (!equal(leaf.value.spki, spki.value)) throw new Error('the certificate is for another key');
  if (!verifySignature(spki.value, scheme.value.scheme, bundle.attest, scheme.value.bytes))
    throw new Error('another key signed');
  return toHex(hash('sha256', spki.value));
}

describe('another attestation key', () => {
  test('serves while quotes go on: none fails, each has the certificate of its key', async () => {
    const made = await agent();
    const keys: string[] = [];
    const failures: unknown[] = [];
    const done = { now: false };
    const ask = async (): Promise<void> => {
      while (!done.now) {
        const answer = await made.evidence().catch((error: unknown) => ({ ok: false, error }) as const);
        if (answer.ok) keys.push(quotingKey(answer.value));
        else failures.push(answer);
      }
    };
    const load = Array.from({ length: 16 }, ask);
    const first = await until('there is a quote', async () => keys[0]);
    made.asked.retired = first;
    const second = await until('another key quotes', async () => keys.find((key) => key !== first));
    const both = made.certificates.current();
    const handles = await until('the old key has left the TPM', async () => {
      const there = await persistent(made.owner);
      return there.includes(AK_HANDLE) ? undefined : there;
    });
    const before = keys.length;
    await until('the new key serves on', async () => keys.length > before + 50);
    done.now = true;
    await Promise.all(load);
    expect(failures).toEqual([]);
    expect(handles).toContain(AK_SUCCESSOR_HANDLE);
    // One after the other: nothing goes back to the old key.
    expect(keys.slice(keys.lastIndexOf(first) + 1).every((key) => key === second)).toBe(true);
    expect(new Set(keys)).toEqual(new Set([first, second]));
    // Whoever quoted with the old key a moment ago still gets its certificate.
    expect(both).toHaveLength(2);
    expect(await made.owner.use(({ tpm }) => handlesFrom(tpm, HANDLE_RANGES.transient))).toEqual([]);
    // Nothing used the old key when it went: the TPM was set up once.
    expect(made.lines.filter((line) => line.includes('set up again'))).toEqual([]);
    // The request names the key, so it is done once.
    expect(made.values.get('attestation_key_rotations_total{result="ok"}')).toBe(1);
    // And back to the first handle.
    made.asked.retired = second;
    await until('a third key serves', async () =>
      made.owner.session?.attestationKey.handle === AK_HANDLE ? true : undefined,
    );
    await made.stop();
  });

  test('takes over when its certificate is there; the old key leaves when the last work with it is done', async () => {
    const made = await agent();
    const working = Promise.withResolvers<void>();
    const slow = made.owner.use(async ({ tpm, attestationKey }) => {
      await working.promise;
      return quote(tpm, attestationKey.handle, new Uint8Array(32), { hash: 'sha256', pcrs: [0] });
    });
    const old = made.owner.session?.attestationKey.handle;
    const certified: (number | undefined)[] = [];
    made.certificates.onChange(() => certified.push(made.owner.session?.attestationKey.handle));
    const answer = await made.evidence();
    made.asked.retired = answer.ok ? quotingKey(answer.value) : '';
    await until('another key serves', async () => made.owner.session?.attestationKey.handle !== old);
    expect(certified).toEqual([old]);
    expect(await persistent(made.owner)).toContain(old);
    working.resolve();
    await slow;
    await until('the old key has left', async () => !(await persistent(made.owner)).includes(old ?? 0));
    expect(made.lines.filter((line) => line.includes('set up again'))).toEqual([]);
    await made.stop();
  });

  test.each([
    ['never', 'same'],
    ['on-renewal', 'other'],
  ] as const)(
    'with --rotate-attestation-key %s the certificate is renewed before it ends, for the %s key',
    async (rotation, which) => {
      const made = await agent({ lifetime: 4, rotation });
      const first = made.certificates.current()[0];
      const second = await until('the certificate is renewed', async () => {
        const [held] = made.certificates.current();
        return held !== first ? held : undefined;
      });
      expect(Date.now() / 1000).toBeLessThan(first?.notAfter ?? 0);
      const same = equal(
        second?.attestationKeyPublic ?? Uint8Array.of(),
        first?.attestationKeyPublic ?? Uint8Array.of(),
      );
      expect(same).toBe(which === 'same');
      expect((await made.evidence()).ok).toBe(true);
      await made.stop();
    },
  );

  test('what a rotation that was cut short left is removed at the next start; a foreign key stops one and stays', async () => {
    const left = await agent();
    await left.owner.use(async ({ tpm, attestationKey }) => {
      const successor = await createSuccessor(tpm);
      await evict(tpm, successor.handle, await successorHandle(tpm, attestationKey.handle));
      await flush(tpm, successor.handle);
    });
    await left.stop();
    const made = await agent();
    const handles = (await persistent(made.owner)).filter((handle) => AK_HANDLES.includes(handle));
    expect(handles).toEqual([made.owner.session?.attestationKey.handle]);

    const free = AK_HANDLES.find((handle) => handle !== handles[0]) ?? 0;
    await made.owner.use(async ({ tpm }) => {
      const stranger = await createEndorsementPrimary(tpm, EK_ECC_P256);
      await evict(tpm, stranger.handle, free);
      await flush(tpm, stranger.handle);
    });
    const answer = await made.evidence();
    made.asked.retired = answer.ok ? quotingKey(answer.value) : '';
    await until('the rotation fails', async () =>
      made.values.get('attestation_key_rotations_total{result="failed"}'),
    );
    expect(made.lines.some((line) => line.includes('holds another key'))).toBe(true);
    expect((await made.evidence()).ok).toBe(true);
    expect(await persistent(made.owner)).toContain(free);
    await made.stop();
  });
});
