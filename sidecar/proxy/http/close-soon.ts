import type { Duplex } from 'node:stream';

/** How long the other side may take to close after all was said. */
const LINGER_MS = 2000;

/** Ends a connection, and does not wait for ever for its other side to do the same. */
export function closeSoon(socket: Duplex, end: () => void = () => socket.end()): void {
  if (socket.writableFinished) lingerThenDestroy(socket);
  else socket.once('finish', () => lingerThenDestroy(socket));
  end();
}

function lingerThenDestroy(socket: Duplex): void {
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
