import type { Options } from '../../platform/config/option.ts';

export const RELAY_OPTIONS = {
  device: {
    kind: 'path',
    default: '/dev/tpmrm0',
    help: 'the TPM behind the kernel’s resource manager',
  },
  socket: {
    kind: 'path',
    required: true,
    help: 'Unix socket, made with mode 0660, at which the agent finds the TPM: its --tpm=swtpm:<socket>',
  },
} as const satisfies Options;
