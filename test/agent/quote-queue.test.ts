import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { QuoteQueue } from '../../agent/attestation/quote-queue.ts';
import { agentMetrics } from '../../agent/metrics.ts';
import { toUtf8 } from '../../formats/bytes/bytes.ts';
import { leafHash, qualifyingData, rootFromPath } from '../../formats/evidence/batch.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { until } from '../support/until.ts';

/** A TPM that is free when the test says so. */
function queue(maxWaiting = 4096) {
  const seals: { data: Uint8Array; done: (result: Uint8Array | Error) => void }[] = [];
  const made = new QuoteQueue<Uint8Array>({
    crypto: nodeCrypto,
    maxWaiting,
    metrics: agentMetrics(recordingMetrics()),
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
    seal: (data) =>
      new Promise((resolve, reject) => {
        const done = (result: Uint8Array | Error): void =>
          result instanceof Error ? reject(result) : resolve(data);
        seals.push({ data, done });
      }),
  });
  return { made, seals };
}
/** The TPM is at its nth batch. */
const sealing = (seals: readonly unknown[], count: number) =>
  until(`batch ${count} is being sealed`, async () => seals.length === count);
const statement = (i: number): Uint8Array => toUtf8(`statement ${i}`);

describe('quote queue', () => {
  test('an idle TPM starts at once; what came meanwhile is the next batch; each leaf leads to its quote', async () => {
    const { made, seals } = queue();
    const first = made.submit(statement(0));
    expect(seals).toHaveLength(1);
    const rest = Array.from({ length: 1000 }, (_, i) => made.submit(statement(i + 1)));
    expect(seals).toHaveLength(1);
    seals[0]?.done(new Uint8Array());
    const answers = [await first];
    await sealing(seals, 2);
    seals[1]?.done(new Uint8Array());
    answers.push(...(await Promise.all(rest)));
    expect(answers.map((each) => each.ok && each.value.leafCount)).toEqual([1, ...Array(1000).fill(1000)]);
    answers.forEach((each, i) => {
      if (!each.ok) throw new Error(each.message);
      const { blinder, leafIndex, leafCount, path, quote } = each.value;
      const leaf = leafHash(nodeCrypto, statement(i), blinder);
      const root = rootFromPath(nodeCrypto, leaf, leafIndex, leafCount, path);
      expect(qualifyingData(nodeCrypto, leafCount, root ?? new Uint8Array())).toEqual(quote);
    });
    const blinders = answers.map((each) => each.ok && Buffer.from(each.value.blinder).toString('hex'));
    expect(new Set(blinders).size).toBe(1001);
  });

  test('a full queue says when to try again, and takes more when the TPM was free', async () => {
    const { made, seals } = queue(2);
    const waiting = [0, 1, 2].map((i) => made.submit(statement(i)));
    const refused = await made.submit(statement(3));
    expect(refused).toMatchObject({ ok: false, code: 'agent-busy' });
    expect(!refused.ok && refused.retryAfterMs).toBeGreaterThan(0);
    expect(!refused.ok && refused.remedy).toBe(`try again in ${!refused.ok && refused.retryAfterMs} ms`);
    seals[0]?.done(new Uint8Array());
    await waiting[0];
    await sealing(seals, 2);
    const late = made.submit(statement(4));
    seals[1]?.done(new Uint8Array());
    await Promise.all(waiting);
    await sealing(seals, 3);
    seals[2]?.done(new Uint8Array());
    expect((await late).ok).toBe(true);
  });

  test('a TPM that fails fails its batch and no other', async () => {
    const { made, seals } = queue();
    const first = made.submit(statement(0));
    const second = made.submit(statement(1));
    seals[0]?.done(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    await sealing(seals, 2);
    seals[1]?.done(new Uint8Array());
    expect((await second).ok).toBe(true);
  });
});
