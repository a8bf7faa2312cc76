import type { TLSSocket } from 'node:tls';
import { MAX_BUNDLE_BYTES } from '../../../formats/evidence/bundle.ts';
import { AnswerTooLarge, getOver } from '../../../platform/http/get-over.ts';
import { readProblem } from '../../../platform/http/problem.ts';
import { Failure } from '../../failure.ts';

const ANSWER_MS = 30_000;

/** GET on a connection with ALPN enclave-evidence/1. @throws Failure for anything but 200 (RFC 9457 problems) */
export async function getOverEvidence(
  socket: TLSSocket,
  serverName: string,
  path: string,
  accept: string,
  signal: AbortSignal,
  authorization?: string,
): Promise<Uint8Array> {
  const { status, body } = await getOver(socket, {
    host: serverName,
    path,
    accept,
    ...(authorization !== undefined && { authorization }),
    maxBytes: MAX_BUNDLE_BYTES,
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
  }).catch((error: unknown) => {
    if (!(error instanceof AnswerTooLarge)) throw error;
    throw new Failure('fault', 'evidence-too-large', error.message, 'this is no enclave of ours');
  });
  if (status === 200) return body;
  const { code, detail } = readProblem(body);
  throw new Failure(
    status === 503 || status === 429 ? 'unreachable' : 'fault',
    code || `http-${status}`,
    detail || `the enclave answers ${status}`,
    'try again',
  );
}
