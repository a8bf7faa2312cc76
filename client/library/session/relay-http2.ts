import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type Http2Session,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { HttpForwardOptions } from './forward-http.ts';

const ALPN = ['h2'];

/** Requests of a local program over HTTP/2 (gRPC), each with the user's token, over one attested connection of their own. */
export function relayHttp2(
  local: Http2Session,
  { connector, token, onFailure, signal }: HttpForwardOptions,
): void {
  let remote: Promise<ClientHttp2Session> | undefined;
  const session = async (): Promise<ClientHttp2Session> => {
    const socket = await connector.connect(ALPN);
    const made = connect('https://enclave', { createConnection: () => socket });
    made.on('error', () => undefined);
    // Its own end, or the server's: what comes next begins anew.
    made.on('goaway', forget);
    made.once('close', forget);
    local.once('close', () => made.destroy());
    return made;
  };
  const forget = (): void => {
    remote = undefined;
  };
  const relay = async (near: ServerHttp2Stream, raw: readonly string[]): Promise<void> => {
    try {
      remote ??= session();
      const [far, own] = [await remote, await token()];
      if (near.destroyed) return;
      const fields = raw.filter(
        (_, i) => raw[i - (i % 2)] !== 'x-enclave-token' && raw[i - (i % 2)] !== ':scheme',
      );
      join(
        near,
        far.request([...fields, ':scheme', 'https', 'x-enclave-token', own], {
          endStream: near.endAfterHeaders,
          waitForTrailers: !near.endAfterHeaders,
        }),
      );
    } catch (error) {
      forget();
      if (!signal.aborted) onFailure(error);
      near.close(constants.NGHTTP2_REFUSED_STREAM);
    }
  };
  local.on('error', () => undefined);
  local.on(
    'stream',
    (stream: ServerHttp2Stream, _headers: object, _flags: number, raw: readonly string[]) => {
      stream.on('error', () => undefined);
      void relay(stream, raw);
    },
  );
}

/** Bodies, trailers and resets both ways. */
function join(near: ServerHttp2Stream, far: ClientHttp2Stream): void {
  let [up, down]: OutgoingHttpHeaders[] = [{}, {}];
  far.on('error', () => undefined);
  near.on('trailers', (headers) => {
    up = headers;
  });
  far.once('wantTrailers', () => far.sendTrailers({ ...up }));
  far.once('response', (_headers, flags, raw: readonly string[]) => {
    const ends = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    if (near.destroyed) return;
    near.respond([...raw], { endStream: ends, waitForTrailers: !ends });
    near.once('wantTrailers', () => near.sendTrailers({ ...down }));
    if (ends) far.resume();
    else far.pipe(near);
  });
  far.on('trailers', (headers) => {
    down = headers;
  });
  if (near.endAfterHeaders) near.resume();
  else near.pipe(far);
  far.once('close', () => {
    if (far.rstCode !== constants.NGHTTP2_NO_ERROR) near.close(far.rstCode);
  });
  near.once('close', () => {
    if (!far.closed) far.close(near.rstCode || constants.NGHTTP2_CANCEL);
  });
}
