import { randomInt } from 'node:crypto';
import type { Server } from 'node:https';

/** The kubelet's port. That a node could listen there is its claim on its block of addresses. */
export const KUBELET_PORT = 10250;

const TRIES = 200;

/** A node's own /24 of the loopback network: `.1` is the node, the rest are its pods. */
export class AddressBlock {
  readonly nodeIP: string;
  readonly #prefix: string;
  readonly #used = new Set<number>();
  #last = 1;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.nodeIP = `${prefix}.1`;
  }

  /** An address that was not used for as long as possible. */
  take(): string {
    for (let tries = 0; tries < 253; tries += 1) {
      this.#last = this.#last >= 254 ? 2 : this.#last + 1;
      if (this.#used.has(this.#last)) continue;
      this.#used.add(this.#last);
      return `${this.#prefix}.${this.#last}`;
    }
    throw new Error('no pod address is free on this node');
  }

  release(address: string): void {
    this.#used.delete(Number(address.split('.')[3]));
  }
}

/**
 * Takes a block that no other node on this machine has: blocks 127.64.0 to 127.95.255, tried at random until the kubelet's
 * server can listen on its first address.
 */
export async function claimAddressBlock(server: Server): Promise<AddressBlock> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const block = new AddressBlock(`127.${randomInt(64, 96)}.${randomInt(0, 256)}`);
    if (await listens(server, block.nodeIP)) return block;
  }
  throw new Error(`no free loopback address: port ${KUBELET_PORT} is in use on all that were tried`);
}

function listens(server: Server, address: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    };
    server.once('error', onError);
    server.listen(KUBELET_PORT, address, () => {
      server.removeListener('error', onError);
      resolve(true);
    });
  });
}
