import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type QuotedLeaf, QuoteQueue, type QuoteQueueOptions } from '../../agent/attestation/quote-queue.ts';
import type { AgentResult } from '../../agent/code.ts';
import { agentMetrics } from '../../agent/metrics.ts';
import { toUtf8 } from '../../formats/bytes/bytes.ts';
import { leafHash, MAX_BATCH_LEAVES, qualifyingData, rootFromPath } from '../../formats/evidence/batch.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { until } from '../support/until.ts';

type Answer = AgentResult<QuotedLeaf<Uint8Array>>;

/** A queue before a TPM that is free when the test says so. */
function queue(options: Partial<QuoteQueueOptions<Uint8Array>> = {}) {
  const seals: { data: Uint8Array; done: (error?: Error) => void }[] = [];
  const metrics = recordingMetrics();
  const made = new QuoteQueue<Uint8Array>({
    crypto: nodeCrypto,
    maxWaiting: 4096,
    maxWaitingPerPod: 4096,
    metrics: agentMetrics(metrics),
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
    seal: (data) =>
      new Promise((resolve, reject) => {
        seals.push({ data, done: (error) => (error === undefined ? resolve(data) : reject(error)) });
      }),
    ...options,
  });
  return {
    submit: (pod: string, text: string) => made.submit(pod, toUtf8(text)),
    /** The TPM is at its nth batch, and becomes free. */
    sealed: async (count: number, error?: Error) => {
      const seal = await until(`batch ${count} is being sealed`, async () => seals[count - 1]);
      seal.done(error);
    },
    seals,
    values: metrics.values,
  };
}

const sizes = (answers: readonly Answer[]) => answers.map((each) => each.ok && each.value.leafCount);

/** Its own path leads from the statement to what the TPM was asked to quote. */
function leadsToQuote(text: string, answer: Answer | undefined): boolean {
  if (!answer?.ok) return false;
  const { blinder, leafIndex, leafCount, path, quote } = answer.value;
  const leaf = leafHash(nodeCrypto, toUtf8(text), blinder);
  const root = rootFromPath(nodeCrypto, leaf, leafIndex, leafCount, path);
  return root !== undefined && Buffer.compare(qualifyingData(nodeCrypto, leafCount, root), quote) === 0;
}

describe('quote queue', () => {
  test('an idle TPM starts at once; what came meanwhile is the next batch; each leaf leads to its quote', async () => {
    const { submit, sealed, seals } = queue();
    const texts = Array.from({ length: 1001 }, (_, i) => `statement ${i}`);
    const waiting = texts.map((text) => submit('a', text));
    await sealed(1);
    expect(seals).toHaveLength(1);
    await sealed(2);
    const answers = await Promise.all(waiting);
    expect(sizes(answers)).toEqual([1, ...Array(1000).fill(1000)]);
    expect(texts.filter((text, i) => !leadsToQuote(text, answers[i]))).toEqual([]);
    const blinders = answers.map((each) => each.ok && Buffer.from(each.value.blinder).toString('hex'));
    expect(new Set(blinders).size).toBe(1001);
  });

  test('a full queue says when to try again, and takes more when the TPM was free', async () => {
    const { submit, sealed, seals } = queue({ maxWaiting: 2 });
    const waiting = ['a', 'b', 'c'].map((pod) => submit(pod, 'x'));
    const refused = await submit('d', 'x');
    expect(refused).toMatchObject({ ok: false, code: 'agent-busy' });
    expect(!refused.ok && refused.retryAfterMs).toBeGreaterThan(0);
    expect(!refused.ok && refused.remedy).toBe(`try again in ${!refused.ok && refused.retryAfterMs} ms`);
    await sealed(1);
    await waiting[0];
    await until('the rest is being sealed', async () => seals.length === 2);
    const late = submit('d', 'x');
    await sealed(2);
    await Promise.all(waiting);
    await sealed(3);
    expect((await late).ok).toBe(true);
  });

  test('a pod has its share of the queue and no more; it is refused by itself', async () => {
    const { submit, sealed, values } = queue({ maxWaitingPerPod: 3 });
    const first = submit('greedy', 'x');
    const greedy = Array.from({ length: 10 }, () => submit('greedy', 'x'));
    const modest = submit('modest', 'x');
    await sealed(1);
    await sealed(2);
    const answers = await Promise.all(greedy);
    expect(sizes([await first, ...answers, await modest])).toEqual([
      1,
      ...[4, 4, 4],
      ...Array(7).fill(false),
      4,
    ]);
    const [refused] = answers.slice(3);
    expect(refused).toMatchObject({
      code: 'caller-busy',
      remedy: expect.stringMatching(/^try again in [1-9]\d* ms$/),
    });
    expect(values.get('turned_away_total{code="caller-busy"}')).toBe(7);
  });

  test('when more wait than a batch takes, pods have their turns, and go on where the last batch ended', async () => {
    const { submit, sealed } = queue({ maxBatch: 4 });
    const batches: string[][] = [[], [], [], [], []];
    const answered: Promise<unknown>[] = [];
    let batch = 0;
    const bring = (pod: string, count: number): void => {
      for (let i = 0; i < count; i++)
        answered.push(submit(pod, `${pod}${i}`).then(() => batches[batch]?.push(`${pod}${i}`)));
    };
    bring('a', 8);
    bring('b', 2);
    bring('c', 2);
    for (batch = 1; batch <= 4; batch++) {
      const left = answered.length - batches.flat().length;
      await sealed(batch);
      await until('it is answered', async () => answered.length - batches.flat().length < left);
    }
    await Promise.all(answered);
    expect(batches.slice(1)).toEqual([
      ['a0'],
      ['a1', 'b0', 'c0', 'a2'],
      ['b1', 'c1', 'a3', 'a4'],
      ['a5', 'a6', 'a7'],
    ]);
  });

  test('65,536 statements are one batch, and others on the event loop are served in between', async () => {
    const most = MAX_BATCH_LEAVES;
    const { submit, sealed } = queue({ maxWaiting: most, maxWaitingPerPod: most });
    const first = submit('a', 'first');
    const waiting = Array.from({ length: most }, (_, i) => submit(`pod ${i % 200}`, String(i)));
    let turns = 0;
    let done = false;
    const turn = (): void => {
      turns++;
      if (!done) setImmediate(turn);
    };
    await sealed(1);
    await first;
    turn();
    await sealed(2);
    const sealedAfter = turns;
    const answers = await Promise.all(waiting);
    done = true;
    expect(sizes(answers).every((size) => size === most)).toBe(true);
    for (const i of [0, 1, 199, 200, 32_767, most - 1])
      expect(leadsToQuote(String(i), answers[i])).toBe(true);
    expect(new Set(answers.map((each) => each.ok && each.value.leafIndex)).size).toBe(most);
    // Slices of 4 ms: a machine that hashes and answers all of it in 20 ms is not yet built.
    expect(sealedAfter).toBeGreaterThan(4);
    expect(turns - sealedAfter).toBeGreaterThan(4);
  });

  test('a TPM that fails fails its batch and no other', async () => {
    const { submit, sealed } = queue();
    const first = submit('a', '0');
    const second = submit('a', '1');
    const failed = expect(first).rejects.toThrow('gone');
    await sealed(1, new Error('gone'));
    await failed;
    await sealed(2);
    expect((await second).ok).toBe(true);
  });
});
