/** The agent's queue before a TPM, without HTTPS around it: how much fresh evidence it gives, and how soon. */
import { randomBytes } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { measured } from '../agent/attestation/measured-transport.ts';
import { QuoteQueue } from '../agent/attestation/quote-queue.ts';
import { type AgentQuote, Quoter } from '../agent/attestation/quoter.ts';
import { createRandomPool } from '../agent/attestation/random-pool.ts';
import { TpmOwner } from '../agent/attestation/tpm-owner.ts';
import { agentMetrics } from '../agent/metrics.ts';
import { MAX_BATCH_LEAVES } from '../formats/evidence/batch.ts';
import { encodeStatement, STATEMENT_PROFILE } from '../formats/evidence/statement.ts';
import { nodeCrypto } from '../platform/crypto/node-crypto.ts';
import { promMetrics } from '../platform/metrics/prom-metrics.ts';
import { recordingLogger } from '../test/support/recording-logger.ts';
import { until } from '../test/support/until.ts';
import { openTransport } from '../tpm/transport/open-transport.ts';
import { median } from './figures.ts';

/** The bank of a usual cluster. */
const SELECTION = { hash: 'sha256', pcrs: [0, 1, 2, 3, 4, 5, 6, 7] } as const;
const PODS = 64;
/** The verifier makes it, not the agent. */
const NONCE = randomBytes(32).toString('base64url');

export interface QueueLoad {
  /** Evidence per second with so many statements in flight, for so long; `maxBatch` 1 is a quote for each. */
  rate(inFlight: number, ms: number, maxBatch?: number): Promise<number>;
  /** Milliseconds that one statement takes when nothing else is there, without those in TPM2_Quote: median of `times`. */
  idleMs(times: number): Promise<number>;
  /** One batch of 65,536: milliseconds until all are answered, the longest pause of the event loop, megabytes of heap. */
  largest(): Promise<{ ms: number; pauseMs: number; heapMb: number }>;
  close(): Promise<void>;
}

/** @param address of a TPM, for `openTransport` */
export async function startQueueLoad(address: string): Promise<QueueLoad> {
  const stopped = new AbortController();
  const tpmMs: number[] = [];
  const owner = new TpmOwner({
    open: async () =>
      measured(await openTransport(address), {
        took: (command, seconds) => {
          if (command === 'TPM2_Quote') tpmMs.push(seconds * 1000);
        },
        hangs: () => {},
      }),
    log: recordingLogger().log,
    onUp: () => {},
    onDown: () => {},
    onFailure: () => {},
  });
  const running = owner.run(stopped.signal);
  await until('the TPM is set up', async () => owner.session);
  const metrics = agentMetrics(promMetrics('enclave_agent_'));
  const quoter = new Quoter(nodeCrypto);
  const queue = (maxBatch = MAX_BATCH_LEAVES) =>
    new QuoteQueue<AgentQuote>({
      crypto: nodeCrypto,
      maxWaiting: MAX_BATCH_LEAVES,
      maxWaitingPerPod: MAX_BATCH_LEAVES,
      maxBatch,
      metrics,
      random: createRandomPool(),
      seal: (data) => owner.use((session) => quoter.quote(session, SELECTION, data)),
    });
  const submit = async (to: QuoteQueue<AgentQuote>, pod: number): Promise<void> => {
    const quoted = await to.submit(`pod-${pod % PODS}`, statement());
    if (!quoted.ok) throw new Error(quoted.message);
  };
  return {
    rate: async (inFlight, ms, maxBatch) => {
      const to = queue(maxBatch);
      let answered = 0;
      const begun = performance.now();
      let last = begun;
      await Promise.all(
        Array.from({ length: inFlight }, async (_, client) => {
          while (performance.now() - begun < ms) {
            await submit(to, client);
            // What is left at the end of the time goes on to be answered; it does not count.
            if (performance.now() - begun >= ms) return;
            answered += 1;
            last = performance.now();
          }
        }),
      );
      return (answered * 1000) / (last - begun);
    },
    idleMs: async (times) => {
      const to = queue();
      const own: number[] = [];
      for (let i = 0; i < times; i++) {
        tpmMs.length = 0;
        const begun = performance.now();
        await submit(to, 0);
        own.push(performance.now() - begun - tpmMs.reduce((sum, each) => sum + each, 0));
      }
      return median(own);
    },
    largest: async () => {
      const to = queue();
      const first = submit(to, 0);
      globalThis.gc?.();
      const heap = process.memoryUsage().heapUsed;
      const all = Array.from({ length: MAX_BATCH_LEAVES }, (_, pod) => submit(to, pod));
      await new Promise((resolve) => setImmediate(resolve));
      const pauses = monitorEventLoopDelay({ resolution: 1 });
      pauses.enable();
      const begun = performance.now();
      await first;
      await Promise.all(all);
      const ms = performance.now() - begun;
      pauses.disable();
      return { ms, pauseMs: pauses.max / 1e6, heapMb: (process.memoryUsage().heapUsed - heap) / 2 ** 20 };
    },
    close: async () => {
      stopped.abort();
      await running;
    },
  };
}

/** Of a usual size, with a nonce of its own. */
function statement(): Uint8Array {
  return encodeStatement({
    eat_profile: STATEMENT_PROFILE,
    eat_nonce: NONCE,
    iat: Math.floor(Date.now() / 1000),
    sub: 'spiffe://enclaves.test/ns/enclaves/sa/default',
    cnf: { 'x5t#S256': 'A'.repeat(43) },
    pod: {
      namespace: 'enclaves',
      name: 'hello',
      uid: '7d9a5a1e-0d3f-4f5b-8d0e-3c2b1a0f9e8d',
      serviceAccount: 'default',
      node: 'node-1',
      enclave: 'hello',
      images: ['app', 'enclave-sidecar'].map((container) => ({
        container,
        image: `registry.test/${container}@sha256:${'ab'.repeat(32)}`,
      })),
      specSha256: 'cd'.repeat(32),
    },
    access: {
      mode: 'tcp',
      upstream: '127.0.0.1:8080',
      auth: 'mtls',
      ownerKeySha256: 'ef'.repeat(32),
      rootsSha256: '01'.repeat(32),
    },
  });
}
