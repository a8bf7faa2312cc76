import type { TLSSocket } from 'node:tls';
import { type Rate, RateLimiter } from '../../platform/limits/rate-limiter.ts';
import { sourceOf } from './source-of.ts';

/** What one connection may ask for and be sent (bytes): a quarter of what its address may, so that one of them leaves something to the others behind the same proxy. */
const REQUEST_RATE: Rate = { burst: 16, perMinute: 8 * 60 };
const BYTE_RATE: Rate = { burst: 2_097_152, perMinute: 262_144 * 60 };
const OF_ONE_SOURCE = 16;
/** Milliseconds without a whole request. Clients ask with the last message of their handshake. */
const WAITING_MS = 5000;
/** The whole life of a connection (milliseconds): enough for many questions, too short to be held on to. */
const CONNECTION_MS = 60_000;

/** A connection that asks for evidence. */
export interface EvidencePlace {
  /** Whose budget its quotes are of. */
  readonly source: string;
  readonly requests: RateLimiter;
  readonly bytes: RateLimiter;
}

export interface EvidencePlaces {
  /** A connection comes; when there is no place left for it another one goes. */
  take(socket: TLSSocket): void;
  of(socket: TLSSocket): EvidencePlace | undefined;
  /** A whole request has come. */
  asked(socket: TLSSocket): void;
  /** Its answer is written. Who does not take it waits for nobody, and may go. */
  answered(socket: TLSSocket): void;
  /** The answer is with the kernel: time runs until the next request. */
  idle(socket: TLSSocket): void;
  sockets(): TLSSocket[];
}

export interface PlacesOptions {
  /** Connections at one time. */
  readonly most: number;
  /** A connection had to go for a newer one. */
  onEvicted(): void;
  /** A connection asked nothing for too long. */
  onSilent(): void;
}

interface Taken extends EvidencePlace {
  /** No request is under way. */
  waiting: boolean;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Who may ask for evidence is everybody, so silence must not take all places: who comes gets in, and the connection goes that has been without a request for longest. One that is being
 * answered goes only when all are. Behind a proxy strangers and users have one address, so no cap of an address may turn away who comes.
 */
export function createEvidencePlaces(options: PlacesOptions): EvidencePlaces {
  // In the order in which they began to wait, or to be answered.
  const open = new Map<TLSSocket, Taken>();

  const waitFor = (socket: TLSSocket): NodeJS.Timeout =>
    setTimeout(() => {
      options.onSilent();
      socket.destroy();
    }, WAITING_MS);

  /** The last in order now. */
  const become = (socket: TLSSocket, waiting: boolean): void => {
    const taken = open.get(socket);
    if (taken === undefined) return;
    clearTimeout(taken.timer);
    taken.waiting = waiting;
    open.delete(socket);
    open.set(socket, taken);
  };

  const leave = (socket: TLSSocket): void => {
    clearTimeout(open.get(socket)?.timer);
    open.delete(socket);
  };

  const evict = (among: readonly (readonly [TLSSocket, Taken])[]): void => {
    const [socket] = among.find(([, { waiting }]) => waiting) ?? among[0] ?? [];
    if (socket === undefined) return;
    options.onEvicted();
    leave(socket);
    socket.destroy();
  };

  return {
    take: (socket) => {
      const source = sourceOf(socket.remoteAddress ?? '');
      const all = [...open];
      const ofSource = all.filter(([, each]) => each.source === source);
      if (ofSource.length >= OF_ONE_SOURCE) evict(ofSource);
      else if (all.length >= options.most) evict(all);
      open.set(socket, {
        source,
        requests: new RateLimiter(REQUEST_RATE, 1),
        bytes: new RateLimiter(BYTE_RATE, 1),
        waiting: true,
        timer: waitFor(socket),
      });
      const life = setTimeout(() => socket.destroy(), CONNECTION_MS);
      socket.once('close', () => {
        clearTimeout(life);
        leave(socket);
      });
    },
    of: (socket) => open.get(socket),
    asked: (socket) => become(socket, false),
    answered: (socket) => become(socket, true),
    idle: (socket) => {
      const taken = open.get(socket);
      if (taken !== undefined) taken.timer = waitFor(socket);
    },
    sockets: () => [...open.keys()],
  };
}
