import type { Command, RequestOf, ResponseOf } from '../formats/tpm/command.ts';
import { type Authorization, decodeResponse, encodeCommand } from '../formats/tpm/command-codec.ts';
import { bareResponseCode, explainResponseCode, RC } from '../formats/tpm/response-codes.ts';
import { type TpmTransport, TpmUnavailable } from './transport/transport.ts';

/** The TPM answered with a response code other than success. */
export class TpmResponseError extends Error {
  readonly responseCode: number;
  constructor(command: Command, responseCode: number) {
    super(`${command.name}: ${explainResponseCode(responseCode)}`);
    this.name = 'TpmResponseError';
    this.responseCode = responseCode;
  }
}

/** Whether an error is the TPM's answer with this code, whichever handle, session or parameter it is about. */
export function isResponse(error: unknown, code: number): boolean {
  return error instanceof TpmResponseError && bareResponseCode(error.responseCode) === code;
}

/** A TPM that says so is asked again, for so long (part 2, 6.6.3: RETRY, YIELDED, TESTING). */
const AGAIN: readonly number[] = [RC.retry, RC.yielded, RC.testing];
const ATTEMPTS = 40;
const PAUSE_MS = 25;

/** Sends any command that `formats/tpm/commands.ts` describes, one after the other in the order of the calls. */
export class TpmExecutor {
  readonly #transport: TpmTransport;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(transport: TpmTransport) {
    this.#transport = transport;
  }

  /**
   * @param authorizations one for each handle that needs one; the empty password where none is given
   * @throws TpmResponseError the TPM refused the command
   * @throws TpmUnavailable the TPM is gone, or answers with what is no response to the command
   */
  execute<C extends Command>(
    command: C,
    request: RequestOf<C>,
    authorizations: readonly Authorization[] = [],
  ): Promise<ResponseOf<C>> {
    const bytes = encodeCommand(command, request, authorizations);
    const answer = this.#tail.then(() => this.#send(command, bytes));
    // The caller gets the failure; the queue only waits for the end.
    this.#tail = answer.catch(() => undefined);
    return answer;
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #send<C extends Command>(command: C, bytes: Uint8Array): Promise<ResponseOf<C>> {
    for (let attempt = 1; ; attempt++) {
      const decoded = decodeResponse(command, await this.#transport.transmit(bytes));
      if (!decoded.ok) {
        await this.#transport.close();
        throw new TpmUnavailable(decoded.message);
      }
      const { responseCode, value } = decoded.value;
      if (value !== undefined) return value;
      if (!AGAIN.includes(bareResponseCode(responseCode)) || attempt === ATTEMPTS)
        throw new TpmResponseError(command, responseCode);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
