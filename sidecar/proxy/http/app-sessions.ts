import { type ClientHttp2Session, connect } from 'node:http2';
import { dialUpstream, type UpstreamAddress } from '../upstream.ts';

/** Streams of one connection to the app, unless the app allows fewer. */
const STREAMS = 100;
const SESSIONS = 32;
const IDLE_MS = 60_000;
const WINDOW = 65_535;

interface AppSession {
  readonly session: Promise<ClientHttp2Session>;
  most: number;
  active: number;
}

/** A place for one stream; `done` gives it back. */
export interface StreamPlace {
  readonly session: Promise<ClientHttp2Session>;
  done(): void;
}

/** Connections to the app over HTTP/2 without TLS, by prior knowledge (RFC 9113, 3.3); a new one when those that are there are full. */
export class AppSessions {
  readonly #upstream: UpstreamAddress;
  readonly #connectTimeout: number;
  readonly #open = new Set<AppSession>();

  constructor(upstream: UpstreamAddress, connectTimeout: number) {
    this.#upstream = upstream;
    this.#connectTimeout = connectTimeout;
  }

  /** Undefined when every connection is full. */
  take(): StreamPlace | undefined {
    let found: AppSession | undefined;
    for (const each of this.#open) if (each.active < each.most) found ??= each;
    if (found === undefined && this.#open.size < SESSIONS) found = this.#dial();
    if (found === undefined) return undefined;
    const place = found;
    place.active += 1;
    return {
      session: place.session,
      done: () => {
        place.active -= 1;
      },
    };
  }

  close(): void {
    for (const { session } of this.#open) session.then((each) => each.destroy()).catch(() => {});
  }

  #dial(): AppSession {
    const made: AppSession = { session: this.#connect(() => made), most: STREAMS, active: 0 };
    this.#open.add(made);
    made.session.catch(() => this.#open.delete(made));
    return made;
  }

  async #connect(own: () => AppSession): Promise<ClientHttp2Session> {
    const socket = await dialUpstream(this.#upstream, this.#connectTimeout);
    socket.allowHalfOpen = false;
    const session = connect('http://enclave', {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: WINDOW },
    });
    session.on('error', () => {});
    session.on('remoteSettings', ({ maxConcurrentStreams = STREAMS }) => {
      own().most = Math.min(STREAMS, maxConcurrentStreams);
    });
    const forget = () => this.#open.delete(own());
    // An app that says it is going takes no new streams (RFC 9113, 6.8).
    session.on('goaway', forget);
    session.on('close', forget);
    session.setTimeout(IDLE_MS);
    session.on('timeout', () => {
      if (own().active > 0) return;
      forget();
      session.close();
    });
    return session;
  }
}
