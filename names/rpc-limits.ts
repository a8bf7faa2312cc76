const KIB = 1024;

/** Largest gRPC request of any service, bytes: what each server takes. */
export const MAX_RPC_REQUEST_BYTES = 32 * KIB;

/**
 * Largest gRPC answer by service, bytes: what each client takes. Not below the bounds that the .proto comments state, and above
 * them by less than a tenth or 64 KiB.
 */
export const MAX_RPC_RESPONSE_BYTES = {
  enrolment: 44 * KIB,
  launcher: 4 * KIB * KIB + 64 * KIB,
  licensing: 960 * KIB,
  trust: 560 * KIB,
} as const;
