import type { ServerResponse } from 'node:http';
import type { Refusal } from '../../formats/bytes/result.ts';
import { MEDIA_TYPES } from '../../names/wire.ts';
import { problemDocument } from '../../platform/http/problem.ts';

/** A refusal over HTTP: problem details (RFC 9457) with our `code` and `remedy`. */
export function sendProblem(response: ServerResponse, status: number, refusal: Omit<Refusal, 'ok'>): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  sendJson(response, status, problemDocument(status, refusal), MEDIA_TYPES.problem);
}

/** One JSON document that no cache keeps. */
export function sendJson(
  response: ServerResponse,
  status: number,
  value: object,
  type: string = MEDIA_TYPES.json,
): void {
  const body = Buffer.from(JSON.stringify(value));
  response
    .writeHead(status, { 'content-type': type, 'content-length': body.length, 'cache-control': 'no-store' })
    .end(body);
}
