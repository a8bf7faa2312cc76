import { afterAll, beforeAll, expect, test } from 'vitest';
import { QuoteQueue } from '../../agent/attestation/quote-queue.ts';
import { type AgentQuote, Quoter } from '../../agent/attestation/quoter.ts';
import { TpmOwner } from '../../agent/attestation/tpm-owner.ts';
import { enrol } from '../../agent/enrolment/enrol.ts';
import { agentMetrics } from '../../agent/metrics.ts';
import { QUOTE } from '../../formats/tpm/commands.ts';
import { selectPcrs } from '../../formats/tpm/pcr-selection.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { openTransport } from '../../tpm/transport/open-transport.ts';
import { startFakeCertificateService } from '../support/fake-certificate-service.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { rootsOf, testAuthorities } from '../support/roots.ts';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { tpmHandles } from '../support/tpm-handles.ts';
import { until } from '../support/until.ts';

const SELECTION = { hash: 'sha256', pcrs: [0, 7] } as const;
const quoter = new Quoter(nodeCrypto);
const stopped = new AbortController();
let swtpm: Swtpm;
let owner: TpmOwner;
let running: Promise<void>;

beforeAll(async () => {
  swtpm = await startSwtpm();
  owner = new TpmOwner({
    open: () => openTransport(swtpm.address),
    log: recordingLogger().log,
    onUp: () => {},
    onDown: () => {},
    onFailure: () => {},
  });
  running = owner.run(stopped.signal);
  await until('the TPM is up', async () => owner.session);
});
afterAll(async () => {
  stopped.abort();
  await running;
  await swtpm?.remove();
});

test('10,000 quotes, and commands that fail, leave nothing in the TPM', async () => {
  const queue = new QuoteQueue<AgentQuote>({
    crypto: nodeCrypto,
    maxWaiting: 1024,
    maxWaitingPerPod: 1024,
    maxBatch: 1,
    metrics: agentMetrics(recordingMetrics()),
    random: (bytes) => new Uint8Array(bytes),
    seal: (data) => owner.use((session) => quoter.quote(session, SELECTION, data)),
  });
  const { session } = owner;
  const before = await owner.use(({ tpm }) => tpmHandles(tpm));
  const quotes = new Set<string>();
  // The key's scheme is another: refused by the TPM after it has loaded the key.
  const failing = () =>
    owner.use(({ tpm, attestationKey }) =>
      tpm.execute(QUOTE, {
        signHandle: attestationKey.handle,
        qualifyingData: new Uint8Array(32),
        inScheme: { kind: 'ecdsa', hash: 'sha384' },
        pcrSelect: selectPcrs(SELECTION),
      }),
    );
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      for (let i = 0; i < 200; i++) {
        const quoted = await queue.submit('pod', new Uint8Array(8));
        if (!quoted.ok) throw new Error(quoted.message);
        quotes.add(Buffer.from(quoted.value.quote.signature).toString('hex'));
        if (i % 10 === 0) await expect(failing()).rejects.toThrow('TPM_RC_SCHEME');
      }
    }),
  );
  expect(quotes.size).toBe(10_000);
  expect(await owner.use(({ tpm }) => tpmHandles(tpm))).toEqual(before);
  // All of it on one connection: nothing was set up again, which would have hidden a leak.
  expect(owner.session).toBe(session);
});

test('enrolments leave nothing in the TPM, however they end', async () => {
  const authorities = testAuthorities();
  const { session } = owner;
  if (session === undefined) throw new Error('no TPM');
  const before = await tpmHandles(session.tpm);
  const endings = {
    good: {},
    wrongName: { wrongName: true },
    wrongKey: { wrongKey: true },
    refused: { refuse: true },
  };
  for (const [ending, behaviour] of Object.entries(endings)) {
    const { client, close } = await startFakeCertificateService(authorities, behaviour);
    for (let i = 0; i < 5; i++) {
      const enrolled = await enrol(session, {
        client,
        crypto: nodeCrypto,
        roots: rootsOf(authorities),
        now: Math.floor(Date.now() / 1000),
        token: 'the-token',
        signal: AbortSignal.timeout(10_000),
      }).catch(() => undefined);
      expect(enrolled?.ok ?? false).toBe(ending === 'good');
    }
    await close();
  }
  expect(await tpmHandles(session.tpm)).toEqual(before);
  expect(owner.session).toBe(session);
});
