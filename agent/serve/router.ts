import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  certifyRequest,
  certifyResponse,
  type MessageCodec,
  proveRequest,
  proveResponse,
  quoteRequest,
  quoteResponse,
} from '../../formats/evidence/agent-messages.ts';
import { encodeSignedTrustDocument } from '../../formats/evidence/signed-trust-document.ts';
import { AGENT_PATHS, MEDIA_TYPES } from '../../names/wire.ts';
import type { TrustHolder } from '../../platform/trust/trust-holder.ts';
import type {
  CertifyRequest,
  CertifyResponse,
  ProveRequest,
  ProveResponse,
  QuoteRequest,
  QuoteResponse,
} from '../../proto/gen/enclave_licensing/agent/v1/agent.ts';
import { type AgentResult, refuseCall } from '../code.ts';
import type { CallerConnection } from './connection.ts';
import { readBody } from './read-body.ts';

/** The agent's calls, each for a caller that is known. */
export interface Calls {
  prove(request: ProveRequest, connection: CallerConnection): Promise<AgentResult<ProveResponse>>;
  certify(request: CertifyRequest, connection: CallerConnection): Promise<AgentResult<CertifyResponse>>;
  quote(request: QuoteRequest, connection: CallerConnection): Promise<AgentResult<QuoteResponse>>;
}

/** How long a poll for the next trust document is held. */
const POLL_MS = 30_000;

type Answer = { readonly status: 200; readonly body: Uint8Array } | { readonly status: 204 };
type Handler = (request: IncomingMessage, connection: CallerConnection) => Promise<AgentResult<Answer>>;

export interface Route {
  readonly method: 'GET' | 'POST';
  /** Whether a pod that is being deleted is answered too. */
  readonly whileTerminating: boolean;
  readonly handle: Handler;
}

/** Path to route. `drain` ends the polls that are held. */
export function routes(calls: Calls, trust: TrustHolder, drain: AbortSignal): ReadonlyMap<string, Route> {
  const post = <Q, A>(
    asks: MessageCodec<Q>,
    answers: MessageCodec<A>,
    call: (request: Q, connection: CallerConnection) => Promise<AgentResult<A>>,
  ): Route => ({
    method: 'POST',
    whileTerminating: false,
    handle: async (request, connection) => {
      const message = await readBody(request, asks);
      if (!message.ok) return message;
      const answer = await call(message.value, connection);
      return answer.ok ? { ok: true, value: { status: 200, body: answers.encode(answer.value) } } : answer;
    },
  });
  return new Map<string, Route>([
    [AGENT_PATHS.prove, post(proveRequest, proveResponse, calls.prove)],
    [AGENT_PATHS.certify, post(certifyRequest, certifyResponse, calls.certify)],
    [AGENT_PATHS.quote, post(quoteRequest, quoteResponse, calls.quote)],
    // A sidecar forwards until its app has ended: who is revoked meanwhile is cut off meanwhile.
    [AGENT_PATHS.trust, { method: 'GET', whileTerminating: true, handle: pollTrust(trust, drain) }],
  ]);
}

/** A long poll: the document as soon as it is newer than `?version=`, or 204 after a while. */
function pollTrust(trust: TrustHolder, drain: AbortSignal): Handler {
  return async (request, connection) => {
    const { searchParams } = new URL(request.url ?? '', 'https://agent');
    const version = searchParams.get('version') ?? '0';
    if (!/^[0-9]{1,15}$/.test(version))
      return refuseCall(
        'request-malformed',
        'version is no number',
        'send ?version=<the version held, or 0>',
      );
    const patience = AbortSignal.any([connection.signal, drain, AbortSignal.timeout(POLL_MS)]);
    const newer = await trust.newerThan(Number(version), patience);
    if (newer === undefined) return { ok: true, value: { status: 204 } };
    return { ok: true, value: { status: 200, body: encodeSignedTrustDocument(newer.signed) } };
  };
}

export function sendAnswer(response: ServerResponse, answer: Answer): void {
  if (answer.status === 204) response.writeHead(204, { 'cache-control': 'no-store' }).end();
  else
    response
      .writeHead(200, {
        'content-type': MEDIA_TYPES.protobuf,
        'content-length': answer.body.length,
        'cache-control': 'no-store',
      })
      .end(answer.body);
}
