export interface ConnectionLimits {
  /** Connections at one time, of every kind. */
  readonly total: number;
  /** Data connections of one user, or, where a token decides, of one address. */
  readonly perUser: number;
  /** Handshakes under way. */
  readonly handshakes: number;
}

const MEBIBYTE = 1024 * 1024;
/** What the process needs without a connection, with room for garbage. */
const RESERVED = 64 * MEBIBYTE;
/** An idle connection takes up to 70 KB; one whose client has stopped reading, or floods with requests, 160 to 190 KB. */
const EACH = (MEBIBYTE * 3) / 16;
const LEAST = 64;
const MOST = 4096;

/**
 * As many connections as fit into the container's memory, unless the operator names a number. One user may have three quarters of them, so that there is
 * always a place for another; handshakes that hang may have one quarter.
 * @param memory bytes that the process may use, as `process.constrainedMemory()` says; 0 when nothing limits it
 */
export function connectionLimits(configured: number | undefined, memory: number): ConnectionLimits {
  const fitting = memory === 0 ? MOST : Math.floor((memory - RESERVED) / EACH);
  const total = configured ?? Math.min(MOST, Math.max(LEAST, fitting));
  return {
    total,
    perUser: Math.max(1, Math.floor((total * 3) / 4)),
    handshakes: Math.max(1, Math.floor(total / 4)),
  };
}
