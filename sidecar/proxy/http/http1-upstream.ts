import { createHash, randomBytes } from 'node:crypto';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { explain } from '../../../platform/run/explain.ts';
import type { AppAgent } from './app-agent.ts';
import type { Exchange } from './exchange.ts';
import { headerPairs } from './header-pairs.ts';
import { answerHeaders, trailerFields } from './http-headers.ts';
import type { RunningRequest } from './running-request.ts';

/** May be sent again when a kept connection turns out to be closed (RFC 9110, 9.2.2): what the app did the first time, if anything, it does no second time. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
/** Where a body is expected: that there is none is said. */
const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);
/** Bytes. */
const ANSWER_HEADER = 65_536;
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Header fields that frame the request to the app. */
function framing({ exchange }: RunningRequest): string[] {
  const { head, method, bodiless } = exchange;
  const fields: string[] = [];
  if (head.contentLength !== undefined) fields.push('Content-Length', head.contentLength);
  else if (!bodiless) fields.push('Transfer-Encoding', 'chunked');
  else if (WITH_BODY.has(method)) fields.push('Content-Length', '0');
  if (head.expect !== undefined) fields.push('Expect', head.expect);
  return fields;
}

function relayAnswer(run: RunningRequest, answer: IncomingMessage): void {
  const { exchange } = run;
  // The end of an answer that was cut is an error too.
  answer.on('error', () => run.broken());
  run.status = answer.statusCode ?? 502;
  try {
    exchange.start(run.status, answerHeaders(answer.rawHeaders), false);
  } catch (error) {
    answer.destroy();
    run.failed(error);
    return;
  }
  answer.on('data', run.count);
  answer.once('end', () => {
    if (answer.rawTrailers.length > 0) exchange.trail(trailerFields(answer.rawTrailers));
  });
  answer.pipe(exchange.out);
}

/** Sends a request on to the app over HTTP/1.1, and its answer back. Nothing here throws, and every stream has a listener for errors for as long as it lives. */
export function forwardOverHttp1(
  run: RunningRequest,
  agent: AppAgent,
  host: string,
  identity: readonly string[],
  again = true,
): void {
  const { exchange } = run;
  const { method, path, head, bodiless } = exchange;
  let outgoing: ClientRequest;
  try {
    const headers = ['Host', host, ...head.headers, ...framing(run), ...identity];
    outgoing = request({ agent, maxHeaderSize: ANSWER_HEADER, method, path, headers, setHost: false });
  } catch (error) {
    // Node refuses to write what a lenient parser let in.
    run.refuse(400, 'malformed', {
      code: 'request-malformed',
      message: explain(error),
      remedy: 'Send a request that can be forwarded.',
    });
    return;
  }
  let answered = false;
  run.cancel = () => outgoing.destroy();
  outgoing.on('error', (error) => {
    // The answer tells its own end; the app need not read all of a request to give one.
    if (answered) return exchange.content.discard();
    if (again && bodiless && outgoing.reusedSocket && IDEMPOTENT.has(method) && !exchange.out.destroyed)
      return forwardOverHttp1(run, agent, host, identity, false);
    return run.failed(error);
  });
  outgoing.on('continue', () => exchange.inform(100, []));
  outgoing.on('information', ({ statusCode, rawHeaders }) => {
    if (statusCode !== 100 && statusCode !== 101) exchange.inform(statusCode, answerHeaders(rawHeaders));
  });
  outgoing.on('upgrade', (_, socket) => {
    socket.destroy();
    run.failed(new Error('it switched protocols, which nobody asked for'));
  });
  outgoing.once('response', (answer) => {
    answered = true;
    relayAnswer(run, answer);
  });
  if (bodiless) {
    exchange.content.discard();
    outgoing.end();
  }
  exchange.body.once('end', () => {
    const trailers = trailerFields(exchange.requestTrailers());
    if (trailers.length === 0 || head.contentLength !== undefined) return;
    // What Node refuses to write is left out: the request is whole without.
    try {
      outgoing.addTrailers(headerPairs(trailers));
    } catch {}
  });
  // An app may answer, or say 100, before it has seen any of the body.
  if (head.contentLength === undefined || head.expect !== undefined) outgoing.flushHeaders();
  if (!bodiless) exchange.content.sendTo(outgoing);
}

/** Asks the app for a WebSocket (RFC 6455, 4), and joins client and app when it agrees. */
export function forwardWebSocket(
  run: RunningRequest,
  agent: AppAgent,
  host: string,
  identity: readonly string[],
): void {
  const { exchange } = run;
  const { head, path } = exchange;
  const fields = [
    'Host',
    host,
    ...head.headers,
    'Connection',
    'Upgrade',
    'Upgrade',
    'websocket',
    ...identity,
  ];
  // Over HTTP/2 there is no key (RFC 8441, 5.1); to the app there must be one.
  const key = exchange.version === 2 ? randomBytes(16).toString('base64') : undefined;
  if (key !== undefined) fields.push('Sec-WebSocket-Key', key);
  let outgoing: ClientRequest;
  try {
    outgoing = request({
      agent,
      maxHeaderSize: ANSWER_HEADER,
      method: 'GET',
      path,
      headers: fields,
      setHost: false,
    });
  } catch (error) {
    run.failed(error);
    return;
  }
  run.cancel = () => outgoing.destroy();
  let answered = false;
  outgoing.on('error', (error) => {
    if (!answered) run.failed(error);
  });
  outgoing.once('response', (answer) => {
    answered = true;
    relayAnswer(run, answer);
  });
  outgoing.once('upgrade', (answer, app, rest) => {
    answered = true;
    const headers = answerHeaders(answer.rawHeaders);
    const accept = key && createHash('sha1').update(`${key}${WEBSOCKET_GUID}`).digest('base64');
    if (exchange.out.destroyed || (key !== undefined && answer.headers['sec-websocket-accept'] !== accept)) {
      app.destroy();
      return run.failed(new Error('it agreed to no WebSocket of ours'));
    }
    run.status = 101;
    run.cancel = () => app.destroy();
    if (rest.length > 0) app.unshift(rest);
    app.on('data', run.count);
    try {
      joinBytes(exchange, exchange.tunnel(headers), app);
    } catch (error) {
      app.destroy();
      run.status = 0;
      run.failed(error);
    }
    return undefined;
  });
  outgoing.end();
}

/** Bytes both ways; what ends on one side ends on the other. */
function joinBytes({ version, content }: Exchange, client: Duplex, app: Duplex): void {
  for (const [side, other] of [
    [client, app],
    [app, client],
  ] as const) {
    side.on('error', () => other.destroy());
    side.once('close', () => other.destroy());
  }
  app.pipe(client);
  if (version === 2) {
    content.sendTo(app);
    return;
  }
  // One record at a time: what waits is never many small ones.
  client.on('data', (record: Buffer) => {
    client.pause();
    app.write(record, () => client.resume());
  });
  client.once('end', () => app.end());
}
