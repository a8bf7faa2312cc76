import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { MAX_RESPONSE } from '../../formats/tpm/command-codec.ts';
import { COMMAND_TIMEOUT_MS, type TpmTransport, TpmUnavailable } from './transport.ts';

const HEADER = 10;

/** swtpm's data channel (`swtpm socket --server type=unixio|tcp`), which the agent's relay of a device speaks too: commands and responses as they are, one connection. */
export class SocketTransport implements TpmTransport {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { resolve: (response: Uint8Array) => void; reject: (error: Error) => void } | undefined;
  #failure: TpmUnavailable | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#fail(`the connection to the TPM broke: ${error.message}`));
    socket.on('close', () => this.#fail('the TPM’s side closed the connection'));
    socket.on('timeout', () => this.#fail(`the TPM did not answer for ${COMMAND_TIMEOUT_MS / 1000} s`));
  }

  static async open(target: NetConnectOpts, name: string): Promise<SocketTransport> {
    const socket = connect(target);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', (error) =>
        reject(
          new TpmUnavailable(
            `no TPM at ${name}: ${error.message}; is swtpm, or the relay of the TPM’s device, running?`,
            { cause: error },
          ),
        ),
      );
    });
    socket.removeAllListeners('error');
    return new SocketTransport(socket);
  }

  transmit(command: Uint8Array): Promise<Uint8Array> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#waiting !== undefined) return Promise.reject(new Error('a command is under way already'));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.setTimeout(COMMAND_TIMEOUT_MS);
      this.#socket.write(command);
    });
  }

  async close(): Promise<void> {
    this.#fail('the transport was closed');
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    if (this.#received.length < HEADER) return;
    const size = this.#received.readUInt32BE(2);
    const tooLong = size < HEADER || size > MAX_RESPONSE;
    if (this.#received.length < size && !tooLong) return;
    if (tooLong || this.#received.length > size || this.#waiting === undefined) {
      this.#fail('the TPM’s side sent what is no response to a command');
      return;
    }
    const response = new Uint8Array(this.#received);
    const { resolve } = this.#waiting;
    this.#received = Buffer.alloc(0);
    this.#waiting = undefined;
    this.#socket.setTimeout(0);
    resolve(response);
  }

  #fail(message: string): void {
    this.#failure ??= new TpmUnavailable(message);
    this.#socket.destroy();
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }
}
