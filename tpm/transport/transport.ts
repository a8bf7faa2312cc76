/** The way to a TPM: command bytes in, response bytes out, one at a time. */
export interface TpmTransport {
  /** Throws TpmUnavailable when the TPM does not answer; the transport is of no use afterwards. */
  transmit(command: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The TPM cannot be reached, or stopped answering: open a new transport and try again. */
export class TpmUnavailable extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TpmUnavailable';
  }
}

/**
 * The longest that a command may take: RSA key generation on a slow discrete TPM (PC Client Platform TPM Profile,
 * 6.5.1.3 allows minutes). What takes longer counts as gone.
 */
export const COMMAND_TIMEOUT_MS = 120_000;
