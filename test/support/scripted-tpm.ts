import type { Command } from '../../formats/tpm/command.ts';
import type { TpmTransport } from '../../tpm/transport/transport.ts';

/** A TPM's answer with nothing but a response code (TPM 2.0 Library part 1, 18.4). */
function refusal(code: number): Uint8Array {
  const response = new Uint8Array(10);
  const view = new DataView(response.buffer);
  view.setUint16(0, 0x8001);
  view.setUint32(2, 10);
  view.setUint32(6, code);
  return response;
}

/** Stands before a real TPM and answers in its place, where a real one cannot be made to say what a test needs. */
export class ScriptedTpm {
  readonly #answers = new Map<number, number[]>();
  #open: TpmTransport | undefined;

  /** The next `times` commands of this kind get this response code; 0 times: as the TPM likes. */
  answer(command: Command, code: number, times: number): void {
    this.#answers.set(command.code, Array(times).fill(code));
  }

  /** The connection ends, as when a resource manager is restarted; the TPM goes on. */
  async cut(): Promise<void> {
    await this.#open?.close();
  }

  around(transport: TpmTransport): TpmTransport {
    this.#open = transport;
    return {
      transmit: async (command) => {
        const code = new DataView(command.buffer, command.byteOffset).getUint32(6);
        const answer = this.#answers.get(code)?.pop();
        return answer === undefined ? transport.transmit(command) : refusal(answer);
      },
      close: () => transport.close(),
    };
  }
}
