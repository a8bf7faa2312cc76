import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';

const ADDRESS = '127.0.0.1';
/** Below those that Linux gives to outgoing connections (from 32768), so that none is taken between here and its use. */
const [FIRST, LAST] = [12_000, 29_999];
const TRIES = 200;

/** Free ports of 127.0.0.1, all different: held together until all are known. */
export async function freePorts(count: number): Promise<number[]> {
  const held = new Map<number, Server>();
  for (let tries = 0; held.size < count && tries < TRIES; tries += 1) {
    const port = randomInt(FIRST, LAST + 1);
    const server = await listening(port);
    if (server !== undefined) held.set(port, server);
  }
  await Promise.all([...held.values()].map((server) => new Promise((resolve) => server.close(resolve))));
  if (held.size < count) throw new Error(`no ${count} ports are free on ${ADDRESS}`);
  return [...held.keys()];
}

function listening(port: number): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(port, ADDRESS, () => resolve(server));
  });
}
