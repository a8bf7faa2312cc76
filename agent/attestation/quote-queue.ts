import { setImmediate as afterIo } from 'node:timers/promises';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import {
  type BatchTree,
  BLINDER_BYTES,
  batchTree,
  leafHash,
  MAX_BATCH_LEAVES,
  qualifyingData,
} from '../../formats/evidence/batch.ts';
import { type AgentResult, refuseCall } from '../code.ts';
import type { AgentMetrics } from '../metrics.ts';

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
  /** Leaves that may wait; at most 65,536. */
  readonly maxWaiting: number;
  readonly metrics: Pick<AgentMetrics, 'seals' | 'sealSeconds' | 'batchLeaves' | 'waiting' | 'turnedAway'>;
  random(bytes: number): Uint8Array;
  /** Has the TPM quote a batch's qualifying data. */
  seal(qualifyingData: Uint8Array): Promise<Q>;
}

interface Waiting<Q> {
  readonly leaf: Uint8Array;
  readonly blinder: Uint8Array;
  readonly resolve: (quoted: QuotedLeaf<Q>) => void;
  readonly reject: (error: unknown) => void;
}

/** Before anything was measured. */
const FIRST_GUESS_MS = 50;

/**
 * Statements wait here while the TPM is at work; when it becomes free, all that wait become one batch. There is no timer:
 * an idle TPM starts at once. What is sealed in a batch came before its quote, nonce included, so the quote is
 * fresh for every leaf.
 */
export class QuoteQueue<Q> {
  readonly #options: QuoteQueueOptions<Q>;
  #waiting: Waiting<Q>[] = [];
  #sealing = false;
  #sealMs = FIRST_GUESS_MS;

  constructor(options: QuoteQueueOptions<Q>) {
    this.#options = options;
  }

  /**
   * Has a statement quoted. Refuses when too many wait already, and says when to try again.
   * @throws what `seal` throws: the whole batch failed
   */
  async submit(statement: Uint8Array): Promise<AgentResult<QuotedLeaf<Q>>> {
    const { crypto, maxWaiting, metrics, random } = this.#options;
    if (this.#waiting.length >= Math.min(maxWaiting, MAX_BATCH_LEAVES)) {
      metrics.turnedAway.inc();
      // What waits now goes with the next batch; the one after it has room.
      const retryAfterMs = Math.ceil(2 * this.#sealMs);
      return refuseCall(
        'agent-busy',
        `${this.#waiting.length} statements wait for the TPM`,
        `try again in ${retryAfterMs} ms`,
        retryAfterMs,
      );
    }
    const blinder = random(BLINDER_BYTES);
    const leaf = leafHash(crypto, statement, blinder);
    const { promise, resolve, reject } = Promise.withResolvers<QuotedLeaf<Q>>();
    this.#waiting.push({ leaf, blinder, resolve, reject });
    metrics.waiting.set(this.#waiting.length);
    if (!this.#sealing) void this.#work();
    return { ok: true, value: await promise };
  }

  async #work(): Promise<void> {
    this.#sealing = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MAX_BATCH_LEAVES);
      this.#options.metrics.waiting.set(this.#waiting.length);
      await this.#sealBatch(batch);
      // What has arrived in the meantime goes along: sockets are read, answers are on their way.
      await afterIo();
    }
    this.#sealing = false;
  }

  async #sealBatch(batch: readonly Waiting<Q>[]): Promise<void> {
    const { crypto, metrics } = this.#options;
    const tree = batchTree(
      crypto,
      batch.map(({ leaf }) => leaf),
    );
    const started = performance.now();
    try {
      const quote = await this.#options.seal(qualifyingData(crypto, batch.length, tree.root));
      const ms = performance.now() - started;
      this.#sealMs += (ms - this.#sealMs) / 4;
      metrics.seals.inc({ result: 'ok' });
      metrics.sealSeconds.observe(ms / 1000);
      metrics.batchLeaves.observe(batch.length);
      this.#answer(batch, tree, quote);
    } catch (error) {
      metrics.seals.inc({ result: 'failed' });
      for (const { reject } of batch) reject(error);
    }
  }

  #answer(batch: readonly Waiting<Q>[], tree: BatchTree, quote: Q): void {
    batch.forEach(({ blinder, resolve }, leafIndex) => {
      resolve({ blinder, leafIndex, leafCount: batch.length, path: tree.pathOf(leafIndex), quote });
    });
  }
}
