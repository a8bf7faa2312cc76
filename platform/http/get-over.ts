import { type IncomingMessage, request } from 'node:http';
import type { TLSSocket } from 'node:tls';

export interface GetOver {
  /** The Host header. */
  readonly host: string;
  readonly path: string;
  readonly accept: string;
  readonly authorization?: string;
  /** Of the answer's body. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** The peer sends more than it may. */
export class AnswerTooLarge extends Error {
  override readonly name = 'AnswerTooLarge';
}

/**
 * One GET (HTTP/1.1) on a connection that stands already and is used for nothing else afterwards.
 * @throws AnswerTooLarge; what `node:http` says of a connection that breaks; the signal's reason
 */
export async function getOver(
  socket: TLSSocket,
  { host, path, accept, authorization, maxBytes, signal }: GetOver,
): Promise<{ readonly status: number; readonly body: Uint8Array }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = {
      host,
      accept,
      connection: 'close',
      ...(authorization !== undefined && { authorization }),
    };
    request({ createConnection: () => socket, path, headers, signal })
      .on('response', resolve)
      .on('error', reject)
      .end();
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new AnswerTooLarge(`the answer is over ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: new Uint8Array(Buffer.concat(chunks)) };
}
