import { PORTS } from '../names/wire.ts';

/** Where the app listens. `loopback` is 127.0.0.1, `pod` the pod's own address. */
export type Upstream =
  | { readonly kind: 'tcp'; readonly host: 'loopback' | 'pod'; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string; readonly folder: string };

/** What an upstream may look like, for messages. */
export const UPSTREAM_FORMS =
  '"8080", "127.0.0.1:8080", "pod:8080" or "unix:/run/enclave/app.sock" (in a folder of its own below /run, /var/run or /tmp, but not their secrets; at most 100 of A-Z a-z 0-9 . _ - /)';

/**
 * The socket's folder is a volume that the app writes and that lies over whatever the sidecar's image has there. Over /etc, /usr or the program's own
 * folder the app would say what the sidecar runs when it starts again, so it lies where images keep nothing that is run or read at start.
 */
const SOCKET_PATH =
  /^\/(?:run|var\/run|tmp)\/(?!secrets\/)(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)+[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

const RESERVED_PORTS: readonly number[] = [PORTS.sidecar, PORTS.health];

/** undefined when the text is no upstream, or one of the sidecar's own ports. */
export function parseUpstream(text: string): Upstream | undefined {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    if (path.length > 100 || !SOCKET_PATH.test(path)) return undefined;
    return { kind: 'unix', path, folder: path.slice(0, path.lastIndexOf('/')) };
  }
  const match = /^(?:(127\.0\.0\.1|pod):)?([1-9][0-9]{0,4})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535 || RESERVED_PORTS.includes(port)) return undefined;
  return { kind: 'tcp', host: match[1] === 'pod' ? 'pod' : 'loopback', port };
}
