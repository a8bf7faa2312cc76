import { setImmediate as afterIo } from 'node:timers/promises';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import {
  type BatchTree,
  BLINDER_BYTES,
  growBatchTree,
  leafHash,
  MAX_BATCH_LEAVES,
  qualifyingData,
} from '../../formats/evidence/batch.ts';
import { type AgentRefusal, type AgentResult, refuseCall } from '../code.ts';
import type { AgentMetrics } from '../metrics.ts';
import { FairLines } from './fair-lines.ts';
import { inSlices } from './in-slices.ts';

/** Where a statement stands in the batch that a quote covers. */
export interface QuotedLeaf<Q> {
  readonly blinder: Uint8Array;
  readonly leafIndex: number;
  readonly leafCount: number;
  /** Sibling hashes from leaf to root. */
  readonly path: Uint8Array[];
  readonly quote: Q;
}

export interface QuoteQueueOptions<Q> {
  readonly crypto: Crypto;
  /** Leaves that may wait. */
  readonly maxWaiting: number;
  /** Leaves of one pod that may wait. */
  readonly maxWaitingPerPod: number;
  /** Leaves that one quote covers. Default, and most: 65,536. */
  readonly maxBatch?: number;
  readonly metrics: Pick<
    AgentMetrics,
    'seals' | 'sealSeconds' | 'batchLeaves' | 'waiting' | 'waitSeconds' | 'turnedAway'
  >;
  random(bytes: number): Uint8Array;
  /** Has the TPM quote a batch's qualifying data. */
  seal(qualifyingData: Uint8Array): Promise<Q>;
}

interface Waiting<Q> {
  readonly leaf: Uint8Array;
  readonly blinder: Uint8Array;
  /** Of the monotonic clock, in milliseconds. */
  readonly since: number;
  readonly resolve: (quoted: QuotedLeaf<Q>) => void;
  readonly reject: (error: unknown) => void;
}

/** Before anything was measured. */
const FIRST_GUESS_MS = 50;
/** Answers between two places where others may go on. */
const STEP = 32;

/**
 * Statements wait here while the TPM is at work; when it becomes free, all that wait become one batch, or, when they are more
 * than a batch holds, one of each pod in turn. There is no timer: an idle TPM starts at once. What is sealed in a batch came
 * before its quote, nonce included, so the quote is fresh for every leaf.
 */
export class QuoteQueue<Q> {
  readonly #options: QuoteQueueOptions<Q>;
  readonly #maxBatch: number;
  readonly #waiting = new FairLines<Waiting<Q>>();
  #sealing = false;
  #sealingSince = 0;
  #sealMs = FIRST_GUESS_MS;

  constructor(options: QuoteQueueOptions<Q>) {
    this.#options = options;
    this.#maxBatch = Math.min(options.maxBatch ?? MAX_BATCH_LEAVES, MAX_BATCH_LEAVES);
  }

  /**
   * Has a statement quoted. Refuses when too many wait already, of this pod or of all, and says when to try again.
   * @param podUid whose statement it is
   * @throws what `seal` throws: the whole batch failed
   */
  async submit(podUid: string, statement: Uint8Array): Promise<AgentResult<QuotedLeaf<Q>>> {
    const { crypto, maxWaiting, maxWaitingPerPod, metrics, random } = this.#options;
    const own = this.#waiting.sizeOf(podUid);
    if (own >= maxWaitingPerPod)
      return this.#turnAway('caller-busy', `${own} statements of pod ${podUid} wait for the TPM`);
    if (this.#waiting.size >= maxWaiting)
      return this.#turnAway('agent-busy', `${this.#waiting.size} statements wait for the TPM`);
    const blinder = random(BLINDER_BYTES);
    const leaf = leafHash(crypto, statement, blinder);
    const { promise, resolve, reject } = Promise.withResolvers<QuotedLeaf<Q>>();
    this.#waiting.push(podUid, { leaf, blinder, since: performance.now(), resolve, reject });
    metrics.waiting.set(this.#waiting.size);
    if (!this.#sealing) void this.#work();
    return { ok: true, value: await promise };
  }

  #turnAway(code: 'caller-busy' | 'agent-busy', message: string): AgentRefusal {
    this.#options.metrics.turnedAway.inc({ code });
    // The batch that the TPM is at, and those that what waits now will be: after them there is room.
    const batches = 1 + Math.ceil(this.#waiting.size / this.#maxBatch);
    // A TPM that is at a batch for longer than usual is believed.
    const sealMs = Math.max(this.#sealMs, performance.now() - this.#sealingSince);
    const retryAfterMs = Math.max(1, Math.ceil(batches * sealMs));
    return refuseCall(code, message, `try again in ${retryAfterMs} ms`, retryAfterMs);
  }

  async #work(): Promise<void> {
    this.#sealing = true;
    while (this.#waiting.size > 0) {
      const batch = this.#waiting.take(this.#maxBatch);
      this.#options.metrics.waiting.set(this.#waiting.size);
      await this.#sealBatch(batch);
      // What has arrived in the meantime goes along: sockets are read, answers are on their way.
      await afterIo();
    }
    this.#sealing = false;
  }

  /** Resolves when the TPM is free; the answers to a large batch are still being given then. */
  async #sealBatch(batch: readonly Waiting<Q>[]): Promise<void> {
    const { crypto, metrics, seal } = this.#options;
    const leaves = batch.map(({ leaf }) => leaf);
    const started = performance.now();
    this.#sealingSince = started;
    try {
      const tree = await inSlices(growBatchTree(crypto, leaves));
      const quote = await seal(qualifyingData(crypto, batch.length, tree.root));
      metrics.seals.inc({ result: 'ok' });
      metrics.batchLeaves.observe(batch.length);
      void inSlices(this.#answer(batch, started, tree, quote));
    } catch (error) {
      metrics.seals.inc({ result: 'failed' });
      for (const { reject } of batch) reject(error);
    }
    const ms = performance.now() - started;
    this.#sealMs += (ms - this.#sealMs) / 4;
    metrics.sealSeconds.observe(ms / 1000);
  }

  *#answer(batch: readonly Waiting<Q>[], started: number, tree: BatchTree, quote: Q): Generator<void, void> {
    const { waitSeconds } = this.#options.metrics;
    for (const [leafIndex, { blinder, since, resolve }] of batch.entries()) {
      waitSeconds.observe((started - since) / 1000);
      resolve({ blinder, leafIndex, leafCount: batch.length, path: tree.pathOf(leafIndex), quote });
      if (leafIndex % STEP === STEP - 1) yield;
    }
  }
}
