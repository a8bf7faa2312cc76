import type { Server, Socket } from 'node:net';

export interface Connections {
  /** This one has had an answered review. */
  proven(socket: Socket): void;
  /** Cuts all, handshakes under way too, which an HTTP server's own list does not know. */
  cut(): void;
}

/**
 * Bounds a server's connections. When there are too many, the oldest goes that has had no answered review yet, so that strangers who hold
 * connections never push out an API server that works; when all have had one, the newest goes.
 */
export function limitConnections(server: Server, most: number, onTooMany: () => void): Connections {
  const open = new Map<string, Socket>();
  /** Keys of `open`, oldest first. */
  const unproven = new Set<string>();
  server.on('connection', (socket) => {
    const key = keyOf(socket);
    open.set(key, socket);
    unproven.add(key);
    socket.once('close', () => {
      open.delete(key);
      unproven.delete(key);
    });
    if (open.size <= most) return;
    onTooMany();
    const [oldest = key] = unproven;
    open.get(oldest)?.destroy();
  });
  const known = new WeakSet<Socket>();
  return {
    proven: (socket) => {
      if (known.has(socket)) return;
      known.add(socket);
      unproven.delete(keyOf(socket));
    },
    cut: () => {
      for (const socket of open.values()) socket.destroy();
    },
  };
}

/** A TLS connection and the TCP connection below it are two objects with one peer. */
function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
