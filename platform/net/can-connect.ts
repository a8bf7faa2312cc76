import { connect } from 'node:net';

const DIAL_MS = 2000;

/**
 * Whether a TCP connection to this address comes about within two seconds; it is closed at once.
 * @throws the signal's reason; or an error of this machine, which says nothing of the other side
 */
export function canConnect(
  host: string,
  port: number,
  localAddress: string,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = connect({ host, port, localAddress });
    const end = (settle: () => void) => (): void => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      settle();
    };
    const onAbort = end(() => reject(signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.setTimeout(
      DIAL_MS,
      end(() => resolve(false)),
    );
    socket.once(
      'connect',
      end(() => resolve(true)),
    );
    socket.once('error', (error: NodeJS.ErrnoException) =>
      // An address of ours that cannot be used says nothing of the app.
      end(() => (OURS.includes(error.code ?? '') ? reject(error) : resolve(false)))(),
    );
  });
}

const OURS: readonly string[] = ['EADDRNOTAVAIL', 'EMFILE', 'ENFILE', 'EINVAL', 'EADDRINUSE'];
