import { TLSSocket } from 'node:tls';

/** What Node's `connect` calls before the handshake begins. */
interface Handshaking {
  setServername(name: string): void;
  setSession(session: Buffer): void;
}

/** Every TLS client of this process is made to offer this session while `run` runs, whatever its own options say. */
export async function withForcedSession<T>(session: Buffer, run: () => Promise<T>): Promise<T> {
  const prototype = TLSSocket.prototype as unknown as Handshaking;
  const { setServername } = prototype;
  prototype.setServername = function (this: Handshaking, name) {
    this.setSession(session);
    setServername.call(this, name);
  };
  try {
    return await run();
  } finally {
    prototype.setServername = setServername;
  }
}
