import { type Client, connectivityState } from '@grpc/grpc-js';

/**
 * grpc-js waits for a connection as long as the operating system does, and for a handshake without end: a server whose node is gone, or which stands still, never
 * answers. Calls `stalled` once when a channel has been at it, or failing (then it does not say that an attempt hangs), for so long: a new one asks for the address
 * anew, and whoever serves there by then answers.
 * @returns what ends it
 */
export function watchConnecting(client: Client, milliseconds: number, stalled: () => void): () => void {
  const channel = client.getChannel();
  let ended = false;
  const next = (): void => {
    if (ended) return;
    const state = channel.getConnectivityState(false);
    if (state === connectivityState.SHUTDOWN) return;
    const isAtIt = state === connectivityState.CONNECTING || state === connectivityState.TRANSIENT_FAILURE;
    const deadline = isAtIt ? Date.now() + milliseconds : Number.POSITIVE_INFINITY;
    channel.watchConnectivityState(state, deadline, (error) => {
      if (ended) return;
      if (error === undefined) next();
      else stalled();
    });
  };
  next();
  return () => {
    ended = true;
  };
}
