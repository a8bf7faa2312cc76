import type { Server, Socket } from 'node:net';

/**
 * Bounds a server's connections. When there are too many, the oldest goes that has had no answered review yet, so that strangers who hold
 * connections never push out an API server that works; when all have had one, the newest goes.
 * @returns tells that a connection has had an answered review
 */
export function limitConnections(server: Server, most: number): (socket: Socket) => void {
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
    const [oldest = key] = unproven;
    open.get(oldest)?.destroy();
  });
  const known = new WeakSet<Socket>();
  return (socket) => {
    if (known.has(socket)) return;
    known.add(socket);
    unproven.delete(keyOf(socket));
  };
}

/** A TLS connection and the TCP connection below it are two objects with one peer. */
function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
