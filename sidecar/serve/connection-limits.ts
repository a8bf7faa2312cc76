/** What one connection takes at most, idle: TLS's state and buffers (bytes). */
export const CONNECTION_BYTES = 80 * 1024;
/** What a request under way takes on top when the app does not read it and the client not its answer, by version of HTTP. A stream has a window of 64 KiB each way; under HTTP/1.1 lie all of TLS's and the kernel's stages. */
export const REQUEST_BYTES = { 1: 512 * 1024, 2: 112 * 1024 } as const;
/** A connection in tcp mode whose client and app both do not read. */
const TCP_BYTES = 288 * 1024;

export interface ConnectionLimits {
  /** Connections at one time, of every kind. */
  readonly total: number;
  /** Data connections of one user, or, where a token decides, of one address. */
  readonly perUser: number;
  /** Handshakes under way. */
  readonly handshakes: number;
  /** Evidence connections. */
  readonly evidence: number;
  /** Data connections that no user holds: refused and not closed yet, or without a good token so far. */
  readonly unheld: number;
  /** http mode: bytes for connections, and for the requests on them. */
  readonly memory: number;
}

/** A connection in http mode as its place is counted: requests take what is left. */
const HTTP_PLACE = 112 * 1024;

const MEBIBYTE = 1024 * 1024;
/** What the process needs without a connection: 70 MiB with its program's pages, the rest for garbage, of which HTTP makes more. */
const RESERVED = { tcp: 88 * MEBIBYTE, http: 96 * MEBIBYTE } as const;
const LEAST = 64;
const MOST = 4096;
/** More than quotes can be made at one time. */
const MOST_EVIDENCE = 256;

/**
 * As many connections as fit into the container's memory, unless the operator names a number. In http mode they take three quarters of it when all are idle; the rest, or what fewer leave, is for
 * requests. One user may have three quarters, so that there is always a place for another; handshakes that hang may have one quarter of the connections, those
 * that ask for evidence another, data connections that no user holds a third: what strangers can take in all leaves the last to users.
 * @param memory bytes that the process may use, as `process.constrainedMemory()` says; 0 when nothing limits it
 */
export function connectionLimits(
  configured: number | undefined,
  memory: number,
  mode: 'tcp' | 'http',
): ConnectionLimits {
  const each = mode === 'tcp' ? TCP_BYTES : HTTP_PLACE;
  const fitting = memory === 0 ? MOST : Math.floor((memory - RESERVED[mode]) / each);
  const total = configured ?? Math.min(MOST, Math.max(LEAST, fitting));
  // Who names a number, or has no limit, has memory for as many requests too.
  const plenty = configured !== undefined || total === MOST;
  return {
    total,
    perUser: threeQuarters(total),
    handshakes: part(total, 1 / 4),
    evidence: Math.min(MOST_EVIDENCE, part(total, 1 / 4)),
    unheld: part(total, 1 / 4),
    memory: total * (plenty ? CONNECTION_BYTES + REQUEST_BYTES[1] : each),
  };
}

export function threeQuarters(whole: number): number {
  return part(whole, 3 / 4);
}

function part(whole: number, share: number): number {
  return Math.max(1, Math.floor(whole * share));
}
