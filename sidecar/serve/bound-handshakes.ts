import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';

export interface Handshakes {
  /** The handshake is done. Returns the TCP connection below; undefined when it is closed already. */
  done(socket: TLSSocket): Socket | undefined;
}

/**
 * Handshakes that never end must not take all places. When too many are under way, the oldest goes of the address that has most of them, the silent ones first: who comes with a
 * certificate gets in whoever else hangs on, and a flood from one address pushes out itself only.
 */
export function boundHandshakes(server: Server, most: number): Handshakes {
  const byAddress = new Map<string, Map<number, Socket>>();
  let underWay = 0;

  const take = (address: string, port: number): Socket | undefined => {
    const ofAddress = byAddress.get(address);
    const line = ofAddress?.get(port);
    if (ofAddress === undefined || line === undefined) return undefined;
    ofAddress.delete(port);
    if (ofAddress.size === 0) byAddress.delete(address);
    underWay -= 1;
    return line;
  };

  server.on('connection', (line: Socket) => {
    const { remoteAddress: address, remotePort: port } = line;
    // Gone before it was looked at.
    if (address === undefined || port === undefined) return void line.destroy();
    const ofAddress = byAddress.get(address) ?? new Map<number, Socket>();
    byAddress.set(address, ofAddress.set(port, line));
    underWay += 1;
    line.once('close', () => {
      if (byAddress.get(address)?.get(port) === line) take(address, port);
    });
    if (underWay > most) oldestOfMost(byAddress)?.destroy();
    return undefined;
  });

  return {
    done: ({ remoteAddress: address, remotePort: port }) =>
      address === undefined || port === undefined ? undefined : take(address, port),
  };
}

/** One that has not said a word yet, if there is one. */
function oldestOfMost(byAddress: ReadonlyMap<string, ReadonlyMap<number, Socket>>): Socket | undefined {
  let most: ReadonlyMap<number, Socket> | undefined;
  for (const each of byAddress.values()) if (each.size > (most?.size ?? 0)) most = each;
  const oldestFirst = [...(most?.values() ?? [])];
  return oldestFirst.find(({ bytesRead }) => bytesRead === 0) ?? oldestFirst[0];
}
