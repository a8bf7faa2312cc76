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
  let held = 0;
  /** Bodies that are being received, oldest first, and until when each must be there (performance.now). */
  const receiving = new Map<Receiving, number>();
  let looking = false;
  /** One timer for all: nearly every body is there before it would go off. */
  const look = (): void => {
    const now = performance.now();
    for (const [each, until] of receiving) if (now >= until) each.late();
    looking = false;
    lookSoon();
  };
  const lookSoon = (): void => {
    if (looking || receiving.size === 0) return;
    looking = true;
    setTimeout(look, LOOK_MS).unref();
  };
  return (request: IncomingMessage, done: (body: Body) => void): void => {
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > BODY_LIMIT) {
      done(tooLarge());
      return;
    }
    let bytes: Buffer = NOTHING;
    let size = 0;
    let over = false;
    const deadline = deadlineOf(request.url ?? '');
    const finish = (body: Body): void => {
      if (over) return;
      over = true;
      receiving.delete(own);
      held -= size;
      bytes = NOTHING;
      done(body);
    };
    const own: Receiving = {
      busy: () => finish(rejection('busy', 'too many bodies are being received', 'Try again in a second.')),
      late: () =>
        finish(
          rejection(
            'body-too-slow',
            `the body was not there within the ${deadline / 1000} s that the caller waits`,
            'Look at the network between API server and webhook.',
          ),
        ),
    };
    const onClose = (): void =>
      finish(rejection('body-cut-off', 'the connection ended within the body', 'Send the whole body.'));
    receiving.set(own, performance.now() + deadline);
    lookSoon();
    request.on('data', (chunk: Buffer) => {
      if (over) return;
      size += chunk.length;
      held += chunk.length;
      if (size > BODY_LIMIT) {
        finish(tooLarge());
        return;
      }
      bytes = append(bytes, size - chunk.length, chunk);
      while (held > totalLimit) {
        const [oldest = own] = receiving.keys();
        oldest.busy();
      }
    });
    request.on('end', () => finish(success(bytes.subarray(0, size))));
    request.on('close', onClose);
    request.on('error', onClose);
  };
}

/** A body that is being received: ways to end it. */
interface Receiving {
  busy(): void;
  late(): void;
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
