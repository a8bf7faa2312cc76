import { type Refusal, refuse } from '../formats/bytes/result.ts';

/** Why a request was not answered with a review; the metric's label, and the problem's `code`. */
export type ServingCode =
  | 'caller-unknown'
  | 'caller-foreign'
  | 'connection-outdated'
  | 'no-such-path'
  | 'content-type'
  | 'body-too-large'
  | 'body-too-slow'
  | 'body-cut-off'
  | 'body-not-json'
  | 'body-not-a-review'
  | 'busy'
  | 'headers-too-large'
  | 'headers-too-slow'
  | 'not-http'
  | 'handshake-failed'
  | 'too-many-connections'
  | 'failed';

/** HTTP status of the answer. The API server repeats a call that was answered with 5xx and Retry-After, and nothing else. */
export const STATUS: Readonly<Record<ServingCode, number>> = {
  'caller-unknown': 401,
  'caller-foreign': 403,
  'connection-outdated': 503,
  'no-such-path': 404,
  'content-type': 415,
  'body-too-large': 413,
  'body-too-slow': 408,
  'body-cut-off': 400,
  'body-not-json': 400,
  'body-not-a-review': 400,
  busy: 503,
  'headers-too-large': 431,
  'headers-too-slow': 408,
  'not-http': 400,
  'handshake-failed': 400,
  'too-many-connections': 503,
  failed: 500,
};

/** A refusal whose code the compiler has checked. */
export function rejection(code: ServingCode, message: string, remedy: string): Refusal<ServingCode> {
  return refuse(code, message, remedy);
}
