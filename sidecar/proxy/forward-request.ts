import {
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import type { Logger } from '../../platform/log/logger.ts';
import { explain } from '../../platform/run/explain.ts';
import type { Allowed } from '../access/access.ts';
import { sendProblem } from '../serve/problem.ts';
import { requestHeaders, responseHeaders } from './http-headers.ts';
import type { UpstreamAddress } from './upstream.ts';

export interface Forwarding {
  readonly enclave: string;
  readonly upstream: UpstreamAddress;
  readonly agent: Agent;
  readonly log: Logger;
}

const REMEDY = 'Try again; if it stays, ask the enclave’s owner.';

/**
 * Sends one request on to the app, and its answer back. Whatever client or app do wrong ends this request, never the process: nothing
 * here throws, and every stream has a listener for errors for as long as it lives.
 */
export function forwardRequest(
  incoming: IncomingMessage,
  response: ServerResponse,
  allowed: Allowed,
  { enclave, upstream, agent, log }: Forwarding,
): void {
  const target = 'path' in upstream ? { socketPath: upstream.path } : upstream;
  const { 'content-length': length, 'transfer-encoding': encoding } = incoming.headers;
  const bare = length === undefined && encoding === undefined;
  let current: ClientRequest | undefined;

  const fail = (error: unknown): void => {
    incoming.unpipe();
    incoming.resume();
    // A client that went away needs no answer.
    if (response.destroyed) return;
    log.info({ reason: explain(error) }, 'request not forwarded');
    sendProblem(response, 502, {
      code: 'upstream',
      message: `the app does not answer: ${explain(error)}`,
      remedy: REMEDY,
    });
  };
  const answered = (answer: IncomingMessage): void => {
    answer.on('error', () => response.destroy());
    try {
      // Without the app's reason phrase: it says nothing (RFC 9112, 4), and may hold what cannot be written.
      response.writeHead(answer.statusCode ?? 502, responseHeaders(answer));
    } catch (error) {
      answer.destroy();
      fail(error);
      return;
    }
    answer.pipe(response);
  };
  const send = (again: boolean): void => {
    let outgoing: ClientRequest;
    try {
      const headers = requestHeaders(incoming, enclave, allowed);
      const { method, url: path } = incoming;
      outgoing = request({ ...target, agent, method, path, headers, setHost: false });
    } catch (error) {
      // Node refuses to write what a lenient parser let in.
      fail(error);
      return;
    }
    current = outgoing;
    outgoing.on('error', (error) => {
      if (current !== outgoing) return;
      // The app closed an idle connection just as we took it. Nothing was sent that could not be sent again.
      if (again && bare && outgoing.reusedSocket && !response.headersSent) send(false);
      else fail(error);
    });
    outgoing.on('upgrade', (_, socket) => {
      socket.destroy();
      fail(new Error('it switched protocols, which nobody asked for'));
    });
    outgoing.once('response', answered);
    if (bare) outgoing.end();
    else incoming.pipe(outgoing);
  };

  incoming.on('error', () => current?.destroy());
  response.on('error', () => current?.destroy());
  response.once('close', () => {
    if (!response.writableFinished) current?.destroy();
  });
  send(true);
}
