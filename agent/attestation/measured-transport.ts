import { COMMANDS } from '../../formats/tpm/commands.ts';
import type { TpmTransport } from '../../tpm/transport/transport.ts';

const NAMES = new Map(COMMANDS.map(({ code, name }) => [code, name]));

/**
 * A transport that says how long each command was with the TPM, from the last byte of the command to the last of the
 * response: the TPM's own time and its driver's, without anything that waits here.
 * @param observe is given the command's name (TPM 2.0 Library part 3) and seconds, for commands that were answered
 */
export function measured(
  transport: TpmTransport,
  observe: (command: string, seconds: number) => void,
): TpmTransport {
  return {
    transmit: async (command) => {
      const code = new DataView(command.buffer, command.byteOffset, command.byteLength).getUint32(6);
      const begun = performance.now();
      const response = await transport.transmit(command);
      observe(NAMES.get(code) ?? 'other', (performance.now() - begun) / 1000);
      return response;
    },
    close: () => transport.close(),
  };
}
