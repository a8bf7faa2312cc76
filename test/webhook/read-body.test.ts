import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { BODY_LIMIT, createBodyReader } from '../../webhook/read-body.ts';
import { REVIEW } from './serving-fixture.ts';

/** Requests to one reader: each gets bytes and ends as a test likes, and keeps what was said of it. */
function bodies(limit?: number) {
  const read = createBodyReader(limit);
  return () => {
    const stream = Object.assign(new EventEmitter(), { headers: {}, url: '/' });
    const said: string[] = [];
    read(stream as never, (result) => said.push(result.ok ? 'ok' : result.code));
    return {
      said,
      gets: (bytes: number | Buffer) =>
        stream.emit('data', typeof bytes === 'number' ? Buffer.alloc(bytes) : bytes),
      ends: () => stream.emit('end') && stream.emit('close'),
    };
  };
}

describe('strangers', () => {
  test('who send a body byte by byte cost no more than its length', async () => {
    const stream = Object.assign(new EventEmitter(), { headers: {}, url: '/' });
    const body = new Promise<Buffer | string>((resolve) =>
      createBodyReader()(stream as never, (result) => resolve(result.ok ? result.value : result.code)),
    );
    const sent = Buffer.from(REVIEW.padEnd(1_000_000));
    const before = process.memoryUsage().heapUsed;
    // As Node's parser hands out chunks: views of what it has read.
    for (let at = 0; at < sent.length; at += 1) stream.emit('data', sent.subarray(at, at + 1));
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 2 ** 20);
    stream.emit('end');
    expect(sent.equals((await body) as Buffer)).toBe(true);
  });

  test('who send many bodies at once meet a bound, which is given back', async () => {
    const send = bodies(1000);
    const [one, two] = [send(), send()];
    one.gets(600);
    two.gets(600);
    // Who stalls goes, not who comes: an API server's body is there at once.
    expect([one.said, two.said]).toEqual([['busy'], []]);
    two.ends();
    expect(two.said).toEqual(['ok']);
    const three = send();
    three.gets(1000);
    three.ends();
    expect(three.said).toEqual(['ok']);
  });

  test('who are ended take no more of it, are told once, and give back what they had once', async () => {
    const send = bodies(1000);
    const [one, two] = [send(), send()];
    one.gets(600);
    two.gets(600);
    for (let at = 0; at < 10; at += 1) one.gets(600);
    one.ends();
    expect([one.said, two.said]).toEqual([['busy'], []]);
    const three = send();
    three.gets(600);
    expect([two.said, three.said]).toEqual([['busy'], []]);
    three.ends();
    expect(three.said).toEqual(['ok']);
  });

  test('as many of the oldest end as have to', async () => {
    const send = bodies(1000);
    const [one, two, three] = [send(), send(), send()];
    one.gets(400);
    two.gets(400);
    three.gets(1000);
    expect([one.said, two.said, three.said]).toEqual([['busy'], ['busy'], []]);
  });

  test('may have 64 MiB together', async () => {
    const send = bodies();
    const all = Array.from({ length: 22 }, () => send());
    const whole = Buffer.alloc(BODY_LIMIT);
    for (const each of all.slice(0, 21)) each.gets(whole);
    expect(all.flatMap(({ said }) => said)).toEqual([]);
    all.at(-1)?.gets(whole);
    expect(all.map(({ said }) => said.join())).toEqual(['busy', ...Array(21).fill('')]);
  });
});
