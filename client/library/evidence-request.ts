import { type IncomingMessage, request } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { MAX_BUNDLE_BYTES } from '../../formats/evidence/bundle.ts';
import { Failure } from '../failure.ts';

const ANSWER_MS = 30_000;

/** GET on a connection with ALPN enclave-evidence/1. @throws Failure for anything but 200 (RFC 9457 problems) */
export async function getOverEvidence(
  socket: TLSSocket,
  serverName: string,
  path: string,
  accept: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({
      createConnection: () => socket,
      host: serverName,
      path,
      headers: { accept, connection: 'close' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
    })
      .on('response', resolve)
      .on('error', reject)
      .end();
  });
  const body = await readBounded(response);
  if (response.statusCode !== 200) throw problem(response.statusCode ?? 0, body);
  return body;
}

async function readBounded(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += (chunk as Buffer).length;
    if (size > MAX_BUNDLE_BYTES)
      throw new Failure(
        'fault',
        'evidence-too-large',
        'the answer is over its bound',
        'this is no enclave of ours',
      );
    chunks.push(chunk as Buffer);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** RFC 9457. */
function problem(status: number, body: Uint8Array): Failure {
  let code = `http-${status}`;
  let message = `the enclave answers ${status}`;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null) {
      if ('code' in parsed) code = String(parsed.code).slice(0, 64);
      if ('detail' in parsed) message = String(parsed.detail).slice(0, 500);
    }
  } catch {
    // Not a problem document: the status says enough.
  }
  return new Failure(status === 503 || status === 429 ? 'unreachable' : 'fault', code, message, 'try again');
}
