import type { ServerResponse } from 'node:http';
import type { Fields } from './object.ts';

/** A JSON answer, with warnings as RFC 7234 headers. */
export function send(
  response: ServerResponse,
  status: number,
  body: Fields,
  warnings: readonly string[] = [],
): void {
  const headers: Record<string, string | string[]> = {
    'content-type': 'application/json',
    'cache-control': 'no-cache, private',
  };
  if (warnings.length > 0)
    headers['warning'] = warnings.map(
      (warning) => `299 - "${warning.replaceAll(/["\\]/g, '\\$&').replaceAll(/[^\x20-\x7e]/g, ' ')}"`,
    );
  response.writeHead(status, headers).end(JSON.stringify(body));
}
