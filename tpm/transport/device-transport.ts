import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { MAX_RESPONSE } from '../../formats/tpm/command-codec.ts';
import { explain } from '../../platform/run/explain.ts';
import { type TpmTransport, TpmUnavailable } from './transport.ts';

/**
 * A TPM behind the Linux kernel's resource manager (`/dev/tpmrm0`): one write is a command, one read its response.
 * The kernel flushes what a closed file left in the TPM.
 */
export class DeviceTransport implements TpmTransport {
  readonly #file: FileHandle;
  readonly #path: string;

  private constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  static async open(path: string): Promise<DeviceTransport> {
    try {
      return new DeviceTransport(await open(path, constants.O_RDWR), path);
    } catch (error) {
      throw new TpmUnavailable(
        `no TPM at ${path}: ${explain(error)}; does the node have a TPM 2.0, and may this process open the device?`,
        { cause: error },
      );
    }
  }

  async transmit(command: Uint8Array): Promise<Uint8Array> {
    try {
      const { bytesWritten } = await this.#file.write(command, 0, command.length, null);
      if (bytesWritten !== command.length) throw new Error(`took ${bytesWritten} of ${command.length} bytes`);
      const response = new Uint8Array(MAX_RESPONSE);
      const { bytesRead } = await this.#file.read(response, 0, response.length, null);
      return response.subarray(0, bytesRead);
    } catch (error) {
      throw new TpmUnavailable(`the TPM at ${this.#path} does not answer: ${explain(error)}`, {
        cause: error,
      });
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
