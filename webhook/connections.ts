import type { Server, Socket } from 'node:net';

export interface Connections {
  /** This one has had an answered review, once more. */
  proven(socket: Socket): void;
}

/**
 * Bounds a server's connections. When there are too many, the oldest goes that has had no answered review yet, so that strangers who hold
 * connections never push out an API server that works. When all have had one, which strangers may get as well, it is one of the peer that has
 * most: the one that has been without a review for longest.
 */
export function limitConnections(server: Server, most: number, onTooMany: () => void): Connections {
  /** Those that have had a review in the order of their last ones. */
  const open = new Map<string, Socket>();
  /** Keys of `open`, oldest first. */
  const unproven = new Set<string>();
  server.on('connection', (socket) => {
    const key = keyOf(socket);
    // One that was reset: its end is told later than its successor from the same port comes.
    open.delete(key);
    unproven.delete(key);
    open.set(key, socket);
    unproven.add(key);
    socket.once('close', () => {
      if (open.get(key) !== socket) return;
      open.delete(key);
      unproven.delete(key);
    });
    if (open.size <= most) return;
    onTooMany();
    const [oldest = key] = unproven;
    open.get(oldest === key ? idlestOfLargest(open) : oldest)?.destroy();
  });
  return {
    proven: (socket) => {
      const key = keyOf(socket);
      const held = open.get(key);
      if (held === undefined) return;
      unproven.delete(key);
      open.delete(key);
      open.set(key, held);
    },
  };
}

/** The first connection of the peer that has most. */
function idlestOfLargest(open: ReadonlyMap<string, Socket>): string {
  const peers = Map.groupBy(open.keys(), (key) => key.slice(0, key.lastIndexOf(' ')));
  let largest: readonly string[] = [];
  for (const keys of peers.values()) if (keys.length > largest.length) largest = keys;
  return largest[0] ?? '';
}

const keys = new WeakMap<Socket, string>();

/** A TLS connection and the TCP connection below it are two objects with one peer. Remembered: it is asked for with every review. */
function keyOf(socket: Socket): string {
  const known = keys.get(socket);
  if (known !== undefined) return known;
  const key = `${socket.remoteAddress} ${socket.remotePort}`;
  keys.set(socket, key);
  return key;
}
