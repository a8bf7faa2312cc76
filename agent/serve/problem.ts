import type { ServerResponse } from 'node:http';
import { MEDIA_TYPES } from '../../names/wire.ts';
import { problemDocument } from '../../platform/http/problem.ts';
import { type AgentRefusal, STATUS_OF_CODE } from '../code.ts';

/** Answers with a problem document (RFC 9457) with members `code`, `remedy` and, when trying again helps, `retryAfterMs`. */
export function sendProblem(response: ServerResponse, refusal: AgentRefusal): void {
  const { code, retryAfterMs } = refusal;
  const status = STATUS_OF_CODE[code];
  // A caller that is not who it should be, or whose body was not read to its end, starts over.
  const ends = status === 401 || status === 403 || status === 413;
  const body = JSON.stringify({
    ...problemDocument(status, refusal),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
  response.writeHead(status, {
    'content-type': MEDIA_TYPES.problem,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(status === 401 && { 'www-authenticate': 'Bearer' }),
    ...(retryAfterMs !== undefined && { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }),
    ...(ends && { connection: 'close' as const }),
  });
  response.end(body);
}
