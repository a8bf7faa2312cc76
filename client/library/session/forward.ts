import { createServer, type Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Address } from '../../../platform/config/option.ts';
import type { AttestedConnector } from './attested-connector.ts';

/** A local program that connects without end gets no more than these at a time. */
export const MAX_CONNECTIONS = 512;

export interface Forwarding {
  /** The port that was bound. */
  readonly port: number;
  /** Resolves when the signal has aborted and every connection is closed. */
  readonly ended: Promise<void>;
}

export interface ForwardOptions {
  readonly listen: Address;
  readonly connector: AttestedConnector;
  readonly signal: AbortSignal;
  onConnection?(): void;
  /** One connection came to nothing; the others go on. */
  onFailure(error: unknown): void;
}

/** Opens a local port; each connection to it becomes one to the attested enclave. @throws when the port cannot be had */
export async function forward(options: ForwardOptions): Promise<Forwarding> {
  const { listen, connector, signal } = options;
  const open = new Set<Duplex>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, keepAlive: true }, (local) => {
    open.add(local);
    local.on('error', () => undefined);
    local.once('close', () => open.delete(local));
    connect(local).catch((error: unknown) => {
      local.destroy();
      if (!signal.aborted) options.onFailure(error);
    });
  });
  const connect = async (local: Socket): Promise<void> => {
    const remote = await connector.connect();
    options.onConnection?.();
    open.add(remote);
    remote.once('close', () => open.delete(remote));
    // Whoever broke off: both ends are closed below, and the local program sees it.
    await join(local, local, remote).catch(() => undefined);
    local.destroy();
    remote.destroy();
  };
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host, () => resolve());
  });
  const address = server.address();
  const ended = new Promise<void>((resolve) => {
    const stop = (): void => {
      server.close(() => resolve());
      for (const each of open) each.destroy();
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  return { port: typeof address === 'object' && address !== null ? address.port : listen.port, ended };
}

/** Both ways at once; each side's end is passed on, so that half-closed protocols work. */
export async function join(input: Readable, output: NodeJS.WritableStream, remote: Duplex): Promise<void> {
  await Promise.all([pipeline(input, remote), pipeline(remote, output)]);
}
