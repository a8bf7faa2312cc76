import type { Server, Socket } from 'node:net';

/**
 * Follows a server's connections from their first packet; the returned function destroys all that are open. An HTTPS server's own
 * `closeAllConnections` does not know those whose TLS handshake is under way: they live on, are answered, and hold up `close`.
 */
export function connectionCutter(server: Server): () => void {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return () => {
    for (const socket of open) socket.destroy();
  };
}
