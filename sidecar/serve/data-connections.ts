import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Result } from '../../formats/bytes/result.ts';
import type { Logger } from '../../platform/log/logger.ts';
import type { Metrics } from '../../platform/metrics/metrics.ts';
import { aborted } from '../../platform/run/aborted.ts';
import { explain } from '../../platform/run/explain.ts';
import { peerCertificate } from '../../platform/tls/peer.ts';
import type { Allowed, Presented } from '../access/access.ts';
import type { AccessCode } from '../access/code.ts';
import type { StandingAccess } from '../access/standing-access.ts';
import { sourceOf } from './source-of.ts';

export interface DataOptions {
  judge(presented: Presented): Result<Allowed, AccessCode>;
  /** With `auth: jwt` a connection without a good certificate goes on: each request is judged by its token. */
  readonly tokens: boolean;
  /** Forwards; resolves when the connection is over. `allowed` is undefined only with `tokens`. */
  forward(socket: TLSSocket, line: Socket, allowed: Allowed | undefined): Promise<void>;
  /** Open connections of one user, or of one address where a token decides. */
  readonly perUser: number;
  /** Connections that no user holds: told the end, and not closed by their client yet; or, with `tokens`, none of whose requests was let in so far. */
  readonly unheld: number;
  /** Takes the place of a connection of this user or address, and returns how to give it back; undefined when there is none for them. */
  reserve(who: string): (() => void) | undefined;
  /** Ends a connection when its certificate does, and when access is taken back. */
  readonly standing: StandingAccess;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface DataConnections {
  take(socket: TLSSocket, line: Socket): void;
  /** A request on it was let in by its token. */
  letIn(socket: TLSSocket): void;
  /** Resolves when no connection is open, or at once after `deadline` ended them. */
  drain(deadline: AbortSignal): Promise<void>;
}

/** Between our end of a connection and its destruction, while draining. */
const LINGER_MS = 1000;
/** How long a client that was told the end may take to close. */
const CLOSING_MS = 2000;

export function presentedBy(socket: TLSSocket): Presented {
  return { certificate: peerCertificate(socket), resumed: socket.isSessionReused() };
}

/** Data connections: judged before a byte is read or the app dialled, ended when the access that let them in is over. */
export function createDataConnections(options: DataOptions): DataConnections {
  const { log, metrics } = options;
  const refusals = metrics.counter('refusals_total', 'Refused data connections by code.', ['code']);
  const connections = metrics.counter('connections_total', 'Data connections by how they were let in.', [
    'via',
  ]);
  const failures = metrics.counter('forward_failures_total', 'Connections that could not reach the app.');
  const active = metrics.gauge('connections_active', 'Open data connections.');
  const open = new Set<TLSSocket>();
  const byUser = new Map<string, number>();
  /** And how each is cut. */
  const unheld = new Map<TLSSocket, () => void>();
  let draining = false;
  let drained: (() => void) | undefined;

  // Strangers who come again and again, and neither ask nor close, would hold all places in turns: the oldest has had its time.
  const boundUnheld = (socket: TLSSocket, cut: () => void): void => {
    unheld.set(socket, cut);
    socket.once('close', () => unheld.delete(socket));
    const [oldest] = unheld;
    if (unheld.size <= options.unheld || oldest === undefined) return;
    const [whose, cutOldest] = oldest;
    unheld.delete(whose);
    cutOldest();
  };

  // close_notify, not a reset: the client can tell an answer from a broken line.
  const endCleanly = (socket: TLSSocket): void => {
    socket.end();
    socket.resume();
    setTimeout(() => socket.destroy(), CLOSING_MS).unref();
    boundUnheld(socket, () => socket.destroy());
  };

  const refuse = (socket: TLSSocket, code: AccessCode, message: string, peer: string | undefined): void => {
    refusals.inc({ code });
    log.info({ code, reason: message, peer }, 'data connection refused');
    endCleanly(socket);
  };

  return {
    take: (socket, line) => {
      const presented = presentedBy(socket);
      const judged = options.judge(presented);
      const peer = socket.remoteAddress;
      socket.on('error', (error) => log.debug({ reason: error.message, peer }, 'connection broke'));
      if (!judged.ok && !options.tokens) return refuse(socket, judged.code, judged.message, peer);
      const allowed = judged.ok ? judged.value : undefined;
      // The handshake began before the port was closed.
      if (draining) return endCleanly(socket);
      const user = allowed === undefined ? `address ${sourceOf(peer ?? '')}` : `user ${allowed.user}`;
      const ofUser = byUser.get(user) ?? 0;
      if (ofUser >= options.perUser)
        return refuse(socket, 'too-many-connections', `${user} has ${ofUser} connections open`, peer);
      const leave = options.reserve(user);
      if (leave === undefined)
        return refuse(socket, 'too-many-connections', `${user} takes all memory that one may have`, peer);
      byUser.set(user, ofUser + 1);
      connections.inc({ via: allowed?.via ?? 'token' });
      open.add(socket);
      active.set(open.size);
      if (allowed === undefined)
        boundUnheld(socket, () => {
          refusals.inc({ code: 'too-many-connections' });
          log.info({ code: 'too-many-connections', peer }, 'connection without a good token made room');
          socket.destroy();
        });
      const letGo =
        allowed &&
        options.standing.hold(allowed, {
          judge: () => options.judge(presented),
          end: ({ code, message }) => {
            refusals.inc({ code });
            log.info({ code, reason: message, peer, user: allowed.user }, 'access is over');
            socket.destroy();
          },
        });
      socket.once('close', () => {
        letGo?.();
        leave();
        open.delete(socket);
        const left = (byUser.get(user) ?? 1) - 1;
        if (left === 0) byUser.delete(user);
        else byUser.set(user, left);
        active.set(open.size);
        if (open.size === 0) drained?.();
      });
      options.forward(socket, line, allowed).catch((error: unknown) => {
        log.warn({ reason: explain(error), peer }, 'not forwarded');
        failures.inc();
        endCleanly(socket);
      });
    },
    letIn: (socket) => void unheld.delete(socket),
    drain: async (deadline) => {
      draining = true;
      if (open.size === 0) return;
      for (const socket of open) {
        // All that the app said is on its way, and our end with it. A moment for the client to read it: a socket that is closed with input left unread is reset.
        const over = (): void => void setTimeout(() => socket.destroy(), LINGER_MS);
        if (socket.writableFinished) over();
        else socket.once('finish', over);
      }
      await Promise.race([new Promise<void>((resolve) => (drained = resolve)), aborted(deadline)]);
      for (const socket of open) socket.destroy();
    },
  };
}
