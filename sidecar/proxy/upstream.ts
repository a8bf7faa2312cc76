import { connect, type Socket } from 'node:net';
import { ConfigError } from '../../platform/config/config-error.ts';

/** Where the app listens, ready for `net.connect`. */
export type UpstreamAddress =
  | { readonly path: string }
  | { readonly host: string; readonly port: number; readonly localAddress?: string };

/**
 * Reads what injection wrote: `8080`, `127.0.0.1:8080`, `pod:8080` (the pod's own address) or `unix:/path`.
 * @throws {ConfigError}
 */
export function parseUpstreamAddress(text: string, podAddress: string): UpstreamAddress {
  if (text.startsWith('unix:/')) return { path: text.slice('unix:'.length) };
  const match = /^(?:(127\.0\.0\.1|pod):)?([1-9][0-9]{0,4})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) throw new ConfigError(`--upstream ${text} is no address of the app`);
  return match[1] === 'pod'
    ? { host: podAddress, port, localAddress: podAddress }
    : { host: '127.0.0.1', port };
}

/** Read into by all connections in turn: what was read is gone with the next read of any of them. */
const SHARED = Buffer.allocUnsafeSlow(65_536);

/**
 * Dials the app.
 * @param onBytes takes what the app sends in place of the stream's `data`, in memory that is lent until it returns; false stops reading until `resume`
 * @param most bytes of one such piece
 * @throws when the app does not answer in time
 */
export function dialUpstream(
  address: UpstreamAddress,
  timeoutMs: number,
  onBytes?: (chunk: Buffer) => boolean,
  most = SHARED.length,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...address,
      allowHalfOpen: true,
      noDelay: true,
      ...(onBytes && {
        onread: {
          buffer: SHARED.subarray(0, most),
          callback: (length) => onBytes(SHARED.subarray(0, length)),
        },
      }),
    });
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error('the app does not answer')), timeoutMs);
    socket.once('error', fail);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeListener('error', fail);
      resolve(socket);
    });
  });
}
