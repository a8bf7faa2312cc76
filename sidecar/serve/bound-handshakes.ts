import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import { sourceOf } from './source-of.ts';

export interface Handshakes {
  /** The handshake is done. Returns the TCP connection below; undefined when it is closed already. */
  done(socket: TLSSocket): Socket | undefined;
}

/**
 * Handshakes that never end must not take all places. When too many are under way, the oldest goes of the address that has most of them, the silent ones first: who comes with a
 * certificate gets in whoever else hangs on, and a flood from one address pushes out itself only.
 */
export function boundHandshakes(server: Server, most: number): Handshakes {
  // A source may be many addresses: a port is one connection only together with the address.
  const bySource = new Map<string, Map<string, Socket>>();
  let underWay = 0;

  const take = (address: string, port: number): Socket | undefined => {
    const source = sourceOf(address);
    const ofSource = bySource.get(source);
    const line = ofSource?.get(`${address} ${port}`);
    if (ofSource === undefined || line === undefined) return undefined;
    ofSource.delete(`${address} ${port}`);
    if (ofSource.size === 0) bySource.delete(source);
    underWay -= 1;
    return line;
  };

  server.on('connection', (line: Socket) => {
    const { remoteAddress: address, remotePort: port } = line;
    // Gone before it was looked at.
    if (address === undefined || port === undefined) return void line.destroy();
    // The end of one that was reset is told later than its successor from the same port comes.
    take(address, port);
    const source = sourceOf(address);
    const ofSource = bySource.get(source) ?? new Map<string, Socket>();
    bySource.set(source, ofSource.set(`${address} ${port}`, line));
    underWay += 1;
    line.once('close', () => {
      if (bySource.get(source)?.get(`${address} ${port}`) === line) take(address, port);
    });
    if (underWay > most) oldestOfMost(bySource)?.destroy();
    return undefined;
  });

  return {
    done: ({ remoteAddress: address, remotePort: port }) =>
      address === undefined || port === undefined ? undefined : take(address, port),
  };
}

/** One that has not said a word yet, if there is one. */
function oldestOfMost(bySource: ReadonlyMap<string, ReadonlyMap<string, Socket>>): Socket | undefined {
  let most: ReadonlyMap<string, Socket> | undefined;
  for (const each of bySource.values()) if (each.size > (most?.size ?? 0)) most = each;
  const oldestFirst = [...(most?.values() ?? [])];
  return oldestFirst.find(({ bytesRead }) => bytesRead === 0) ?? oldestFirst[0];
}
