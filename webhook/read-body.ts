import type { IncomingMessage } from 'node:http';
import { type Result, success } from '../formats/bytes/result.ts';
import { rejection, type ServingCode } from './code.ts';

/** An API server sends objects of at most 1.5 MiB as JSON of at most 3 MiB, old object included. */
export const BODY_LIMIT = 3 * 1024 * 1024;
/** Of all bodies that are being received, together. */
const TOTAL_LIMIT = 64 * 1024 * 1024;
const DEFAULT_DEADLINE_MS = 10_000;
/** How late a deadline may be seen. */
const LOOK_MS = 100;
const NOTHING = Buffer.alloc(0);
/** The longest `timeoutSeconds` that a webhook configuration may have. */
const LONGEST_DEADLINE_MS = 30_000;

export type Body = Result<Buffer, ServingCode>;

/** Milliseconds that the API server waits for an answer: its query parameter `timeout`, a Go duration (`10s`). */
export function deadlineOf(url: string): number {
  const [, number, unit] = /[?&]timeout=(\d{1,6})(ms|s)(?:&|$)/.exec(url) ?? [];
  if (number === undefined) return DEFAULT_DEADLINE_MS;
  return Math.min(Number(number) * (unit === 's' ? 1000 : 1), LONGEST_DEADLINE_MS);
}

/**
 * Receives request bodies: each within the limit and the caller's deadline, all together within 64 MiB, so that slow or many senders bound the
 * memory and not the other way round. When all are too much, the one that has been under way for longest ends: an API server's takes moments, so
 * strangers who stall do not keep it out. `done` is called once.
 */
export function createBodyReader(totalLimit = TOTAL_LIMIT) {
  const held: Held = { bytes: 0, receiving: new Set() };
  let looking = false;
  /** One timer for all: nearly every body is there before it would go off. */
  const look = (): void => {
    const now = performance.now();
    for (const each of held.receiving) if (now >= each.until) each.late();
    looking = false;
    lookSoon();
  };
  const lookSoon = (): void => {
    if (looking || held.receiving.size === 0) return;
    looking = true;
    setTimeout(look, LOOK_MS).unref();
  };
  return (request: IncomingMessage, done: (body: Body) => void): void => {
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > BODY_LIMIT) {
      done(tooLarge());
      return;
    }
    const own = new Receiving(held, deadlineOf(request.url ?? ''), done);
    lookSoon();
    request.on('data', (chunk: Buffer) => {
      own.take(chunk);
      for (const oldest of held.receiving) {
        if (held.bytes <= totalLimit) break;
        oldest.busy();
      }
    });
    request.on('end', () => own.whole());
    const cut = (): void => own.cut();
    request.on('close', cut);
    request.on('error', cut);
  };
}

/** All bodies that are being received, oldest first, and their size. */
interface Held {
  bytes: number;
  readonly receiving: Set<Receiving>;
}

/** One of them. Whatever ends it first counts. */
class Receiving {
  /** When it must be there (performance.now). */
  readonly until: number;
  readonly #held: Held;
  readonly #deadlineMs: number;
  readonly #done: (body: Body) => void;
  #bytes: Buffer = NOTHING;
  #size = 0;

  constructor(held: Held, deadlineMs: number, done: (body: Body) => void) {
    this.until = performance.now() + deadlineMs;
    this.#held = held;
    this.#deadlineMs = deadlineMs;
    this.#done = done;
    held.receiving.add(this);
  }

  take(chunk: Buffer): void {
    if (!this.#held.receiving.has(this)) return;
    const before = this.#size;
    this.#size += chunk.length;
    this.#held.bytes += chunk.length;
    if (this.#size > BODY_LIMIT) this.#finish(tooLarge());
    else this.#bytes = append(this.#bytes, before, chunk);
  }

  whole(): void {
    this.#finish(success(this.#bytes.subarray(0, this.#size)));
  }

  /** Said of every request in the end. */
  cut(): void {
    if (!this.#held.receiving.has(this)) return;
    this.#finish(rejection('body-cut-off', 'the connection ended within the body', 'Send the whole body.'));
  }

  busy(): void {
    this.#finish(rejection('busy', 'too many bodies are being received', 'Try again in a second.'));
  }

  late(): void {
    this.#finish(
      rejection(
        'body-too-slow',
        `the body was not there within the ${this.#deadlineMs / 1000} s that the caller waits`,
        'Look at the network between API server and webhook.',
      ),
    );
  }

  #finish(body: Body): void {
    if (!this.#held.receiving.delete(this)) return;
    this.#held.bytes -= this.#size;
    this.#bytes = NOTHING;
    this.#done(body);
  }
}

/**
 * The first `size` bytes and a chunk after them. A body in one chunk is not copied; of others no chunk is kept, because one of a single byte costs a hundred
 * times as much.
 */
function append(bytes: Buffer, size: number, chunk: Buffer): Buffer {
  if (size === 0) return chunk;
  const all = size + chunk.length <= bytes.length ? bytes : Buffer.allocUnsafe(2 * (size + chunk.length));
  if (all !== bytes) bytes.copy(all, 0, 0, size);
  chunk.copy(all, size);
  return all;
}

function tooLarge(): Body {
  return rejection('body-too-large', `the body is over ${BODY_LIMIT} bytes`, 'Make the object smaller.');
}
