import { fork } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

export interface SlowTpm {
  /** For `openTransport`. */
  readonly address: string;
  /** TPM2_Quote takes so many milliseconds from now on; 0: what swtpm takes. */
  take(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** Starts `slow-tpm.ts` at a Unix socket, before the swtpm at another. */
export async function startSlowTpm(socket: string, swtpm: string): Promise<SlowTpm> {
  const child = fork(resolve('bench/slow-tpm.ts'), [socket, swtpm]);
  await once(child, 'message');
  return {
    address: `swtpm:${socket}`,
    take: async (ms) => {
      const done = once(child, 'message');
      child.send(ms);
      await done;
    },
    close: async () => {
      const gone = once(child, 'exit');
      child.disconnect();
      await gone;
    },
  };
}
