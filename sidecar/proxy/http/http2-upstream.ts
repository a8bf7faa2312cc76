import { type ClientHttp2Session, type ClientHttp2Stream, constants } from 'node:http2';
import type { AppSessions } from './app-sessions.ts';
import { sendTrailers } from './header-object.ts';
import { answerHeaders, trailerFields } from './http-headers.ts';
import type { RunningRequest } from './running-request.ts';

/** Sends a request on to the app over HTTP/2 without TLS, and its answer back: bodies are streamed both ways, trailers and resets go along. */
export function forwardOverHttp2(
  run: RunningRequest,
  sessions: AppSessions,
  host: string,
  identity: readonly string[],
): void {
  const place = sessions.take();
  if (place === undefined) {
    run.unanswered(503, 'busy', 'the app has too many requests under way');
    return;
  }
  let over = false;
  run.cancel = () => {
    over = true;
  };
  place.session.then(
    (session) => {
      if (over) return place.done();
      return send(run, session, host, identity, place.done);
    },
    (error: unknown) => {
      place.done();
      run.failed(error);
    },
  );
}

function send(
  run: RunningRequest,
  session: ClientHttp2Session,
  host: string,
  identity: readonly string[],
  done: () => void,
): void {
  const { exchange } = run;
  const { head, method, path, bodiless, content } = exchange;
  const fields = [':method', method, ':scheme', 'http', ':authority', host, ':path', path, ...head.headers];
  if (head.contentLength !== undefined) fields.push('content-length', head.contentLength);
  if (head.expect !== undefined) fields.push('expect', head.expect);
  // Names are lower case here (RFC 9113, 8.2.1), also those that we set.
  for (let i = 0; i + 1 < identity.length; i += 2)
    fields.push((identity[i] ?? '').toLowerCase(), identity[i + 1] ?? '');
  let stream: ClientHttp2Stream;
  try {
    stream = session.request([...fields, 'te', 'trailers'], {
      endStream: bodiless,
      waitForTrailers: !bodiless,
    });
  } catch (error) {
    done();
    run.failed(error);
    return;
  }
  let whole = false;
  run.cancel = () => stream.close(constants.NGHTTP2_CANCEL);
  stream.once('end', () => {
    whole = true;
  });
  stream.once('close', () => {
    done();
    exchange.content.discard();
    if (!whole || !exchange.started) settle(run, session, stream.rstCode);
  });
  stream.on('error', () => {});
  stream.on('headers', (_headers, _flags, raw: readonly string[]) => {
    const status = Number(raw[raw.indexOf(':status') + 1]);
    if (status > 101 && status < 200) exchange.inform(status, answerHeaders(raw));
    else if (status === 100) exchange.inform(100, []);
  });
  stream.on('continue', () => exchange.inform(100, []));
  stream.once('response', (headers, flags, raw: readonly string[]) => {
    run.status = Number(headers[':status']);
    try {
      const ends = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      exchange.start(run.status, answerHeaders(raw), ends);
      if (ends) {
        stream.resume();
        return;
      }
    } catch {
      stream.close(constants.NGHTTP2_CANCEL);
      return run.broken();
    }
    stream.on('data', run.count);
    stream.pipe(exchange.out);
  });
  stream.on('trailers', (_headers, _flags, raw: readonly string[]) => exchange.trail(trailerFields(raw)));
  if (bodiless) {
    content.discard();
    stream.resume();
  }
  stream.once('wantTrailers', () => sendTrailers(stream, trailerFields(exchange.requestTrailers())));
  if (!bodiless) content.sendTo(stream);
}

/** The app has not answered, or not to the end: the client hears it the way the app said it. */
function settle(run: RunningRequest, { destroyed }: ClientHttp2Session, rstCode: number): void {
  if (run.exchange.started) run.broken(rstCode || constants.NGHTTP2_INTERNAL_ERROR);
  else if (rstCode === constants.NGHTTP2_REFUSED_STREAM)
    run.unanswered(503, 'busy', 'the app took no more requests');
  else if (destroyed || rstCode === constants.NGHTTP2_NO_ERROR)
    run.unanswered(502, 'upstream', 'the app does not answer over HTTP/2');
  else run.broken(rstCode);
}
