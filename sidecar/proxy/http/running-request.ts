import { constants } from 'node:http2';
import type { Refusal } from '../../../formats/bytes/result.ts';
import { MEDIA_TYPES } from '../../../names/wire.ts';
import { problemDocument } from '../../../platform/http/problem.ts';
import { explain } from '../../../platform/run/explain.ts';
import type { Exchange } from './exchange.ts';

/** How a request ended, for the log. */
export type Outcome =
  | 'ok'
  | 'malformed'
  | 'refused'
  | 'busy'
  | 'upstream-failed'
  | 'upstream-timeout'
  | 'upstream-broken'
  | 'client-gone'
  | 'access-ended';

const REMEDY = 'Try again; if it stays, ask the enclave’s owner.';

/** What gRPC makes of HTTP's statuses (grpc/grpc doc/http-grpc-status-mapping.md). */
const GRPC_STATUS: ReadonlyMap<number, number> = new Map([
  [400, 13],
  [401, 16],
  [403, 7],
  [429, 14],
  [502, 14],
  [503, 14],
  [504, 14],
]);

function grpcMessage(text: string): string {
  return text.replaceAll(/[^ -$&-~]/gu, (character) => encodeURIComponent(character.toWellFormed()));
}

/** One request on its way: what the log will say of it, and how it is ended from either side. */
export class RunningRequest {
  readonly exchange: Exchange;
  readonly id: string;
  readonly began = performance.now();
  user: string | undefined;
  status = 0;
  /** Of the answer's body. */
  bytes = 0;
  outcome: Outcome = 'ok';
  /** The app's side, while there is one: ends it. */
  cancel: (() => void) | undefined;
  /** Where a token let it in: nobody watches any more over that. */
  release: (() => void) | undefined;

  constructor(exchange: Exchange, id: string) {
    this.exchange = exchange;
    this.id = id;
  }

  get grpc(): boolean {
    const { contentType } = this.exchange.head;
    return (
      this.exchange.version === 2 &&
      (contentType === 'application/grpc' || contentType.startsWith('application/grpc+'))
    );
  }

  /** Counts what the app sends. */
  readonly count = (chunk: Buffer): void => {
    this.bytes += chunk.length;
  };

  /** The app cannot be asked. @param status 502, 503 or 504 */
  unanswered(status: 502 | 503 | 504, code: string, message: string): void {
    const outcomes = { 502: 'upstream-failed', 503: 'busy', 504: 'upstream-timeout' } as const;
    this.refuse(status, outcomes[status], { code, message, remedy: REMEDY });
  }

  /** Over HTTP/2: the client may send it again, nobody has looked at it (RFC 9113, 8.7). */
  turnAway(): void {
    this.#ended('busy');
    this.status = 503;
    this.exchange.abort(constants.NGHTTP2_REFUSED_STREAM);
  }

  /** The app could not be reached, or gave no answer. */
  failed(error: unknown): void {
    const message = `the app does not answer: ${explain(error)}`;
    const late = error instanceof Error && 'code' in error && error.code === 'ETIMEDOUT';
    if (late) this.unanswered(504, 'upstream-timeout', message);
    else this.unanswered(502, 'upstream', message);
  }

  /** The answer has begun, and does not come to its end. */
  broken(code: number = constants.NGHTTP2_INTERNAL_ERROR): void {
    this.#ended('upstream-broken');
    this.exchange.abort(code);
  }

  /** Nothing has come either way for too long. */
  timeOut(): void {
    if (!this.exchange.started && this.status !== 101) {
      this.unanswered(504, 'upstream-timeout', 'the app has not answered in time');
      return;
    }
    this.cancel?.();
    this.broken(constants.NGHTTP2_CANCEL);
    return;
  }

  /** Answers in the app's place: a problem (RFC 9457), to gRPC its status; what has begun is broken off. */
  refuse(
    status: number,
    outcome: Outcome,
    refusal: Omit<Refusal, 'ok'>,
    headers: readonly string[] = [],
  ): void {
    const { exchange } = this;
    this.cancel?.();
    this.cancel = undefined;
    if (exchange.out.destroyed) return;
    this.#ended(outcome);
    if (exchange.started || this.status === 101) {
      exchange.abort(constants.NGHTTP2_INADEQUATE_SECURITY);
      return;
    }
    this.status = status;
    exchange.content.discard();
    try {
      if (this.grpc) {
        const grpcStatus = String(GRPC_STATUS.get(status) ?? 2);
        const message = grpcMessage(`${refusal.code}: ${refusal.message}`);
        exchange.start(
          200,
          ['content-type', 'application/grpc', 'grpc-status', grpcStatus, 'grpc-message', message],
          true,
        );
        return;
      }
      const body = Buffer.from(JSON.stringify(problemDocument(status, refusal)));
      const length = String(body.length);
      exchange.start(
        status,
        [
          ...headers,
          'content-type',
          MEDIA_TYPES.problem,
          'content-length',
          length,
          'cache-control',
          'no-store',
        ],
        false,
      );
      this.bytes = body.length;
      exchange.out.end(body);
    } catch {
      exchange.abort(constants.NGHTTP2_INTERNAL_ERROR);
    }
  }

  #ended(outcome: Outcome): void {
    if (this.outcome === 'ok') this.outcome = outcome;
  }
}
