import { COMMANDS } from '../../formats/tpm/commands.ts';
import type { TpmTransport } from '../../tpm/transport/transport.ts';

const NAMES = new Map(COMMANDS.map(({ code, name }) => [code, name]));

/** Each is given the command's name (TPM 2.0 Library part 3) and seconds. */
export interface CommandWatch {
  /** It was answered; `hung`: and thought not to be. */
  took(command: string, seconds: number, hung: boolean): void;
  /** It was not answered for this long; it may still be. */
  hangs(command: string, seconds: number): void;
}

/** More than any command but the making of RSA keys takes. */
const HANG_MS = 10_000;

/**
 * A transport that says how long each command was with the TPM, from the last byte of the command to the last of the
 * response: the TPM's own time and its driver's, without anything that waits here.
 */
export function measured(transport: TpmTransport, watch: CommandWatch, hangMs = HANG_MS): TpmTransport {
  return {
    transmit: async (command) => {
      const code = new DataView(command.buffer, command.byteOffset, command.byteLength).getUint32(6);
      const name = NAMES.get(code) ?? 'other';
      const begun = performance.now();
      let hung = false;
      const timer = setTimeout(() => {
        hung = true;
        watch.hangs(name, hangMs / 1000);
      }, hangMs);
      try {
        const response = await transport.transmit(command);
        watch.took(name, (performance.now() - begun) / 1000, hung);
        return response;
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => transport.close(),
  };
}
