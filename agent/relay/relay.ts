import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { TpmTransport } from '../../tpm/transport/transport.ts';
import { isPassedOn } from './passed-on.ts';

export interface RelayOptions {
  /** Path of the socket; one that an earlier process left there is replaced. */
  readonly socket: string;
  /** Called for each connection: what the kernel keeps for an open file goes with the connection. */
  open(): Promise<TpmTransport>;
  /** Why a connection ended, if not by the caller's will. */
  onTrouble(error: unknown): void;
}

export interface Relay {
  close(): Promise<void>;
}

const HEADER = 10;
/** TPM2_PT_MAX_COMMAND_SIZE of PC Client TPMs (TCG PC Client Platform TPM Profile 6.9). */
const MAX_COMMAND = 4096;

/**
 * Serves a TPM at a Unix socket as swtpm's data channel does: commands and responses as they are (their length stands in their header, TPM 2.0 Part 1,
 * 18.2), one caller at a time, one command at a time, and of commands those alone that an agent has use for.
 * @throws when the socket cannot be made
 */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  let caller: Socket | undefined;
  const server = createServer((socket) => {
    // Two callers would share what the kernel keeps apart by open files; the agent tries again.
    if (caller !== undefined) {
      socket.destroy();
      return;
    }
    caller = socket;
    serve(socket, options)
      .catch((error) => options.onTrouble(error))
      .finally(() => {
        socket.destroy();
        caller = undefined;
      });
  });
  rmSync(options.socket, { force: true });
  await listening(server, options.socket);
  chmodSync(options.socket, 0o660);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        caller?.destroy();
      }),
  };
}

async function serve(socket: Socket, options: RelayOptions): Promise<void> {
  // Until it is read, or without a listener, an error would end the process.
  socket.on('error', () => undefined);
  const tpm = await options.open();
  try {
    let received: Buffer = Buffer.alloc(0);
    for await (const chunk of socket) {
      received = received.length === 0 ? (chunk as Buffer) : Buffer.concat([received, chunk as Buffer]);
      if (received.length < HEADER) continue;
      const size = received.readUInt32BE(2);
      if (size < HEADER || size > MAX_COMMAND || received.length > size)
        throw new Error('the caller sent what is no command');
      if (received.length < size) continue;
      if (!isPassedOn(received)) throw new Error('the caller sent a command that no agent needs');
      const response = await tpm.transmit(received);
      received = Buffer.alloc(0);
      socket.write(response);
    }
  } finally {
    await tpm.close();
  }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
