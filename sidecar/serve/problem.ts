import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Refusal } from '../../formats/bytes/result.ts';
import { MEDIA_TYPES } from '../../names/wire.ts';

/** A refusal over HTTP: problem details (RFC 9457) with our `code` and `remedy`. */
export function sendProblem(
  response: ServerResponse,
  status: number,
  { code, message, remedy }: Omit<Refusal, 'ok'>,
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = { type: 'about:blank', title: STATUS_CODES[status], status, code, detail: message, remedy };
  response
    .writeHead(status, { 'content-type': MEDIA_TYPES.problem, 'cache-control': 'no-store' })
    .end(JSON.stringify(body));
}
