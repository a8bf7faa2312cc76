import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** That a process listens here on a block's first address is its claim on the block. */
const CLAIM_PORT = 10250;
const TRIES = 200;

/**
 * Takes 256 loopback addresses that no other test file on this machine has, whoever runs it: blocks 127.128.0 to 127.159.255. Nodes of
 * development clusters have 127.64 to 127.95, and Services 127.96.
 * @returns the first three numbers; the block is held until the process ends
 */
async function claimBlock(): Promise<string> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const block = `127.${randomInt(128, 160)}.${randomInt(0, 256)}`;
    if (await listens(`${block}.1`)) return block;
  }
  throw new Error(`no free block of loopback addresses: port ${CLAIM_PORT} is in use on all that were tried`);
}

function listens(address: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy()).unref();
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    );
    server.listen(CLAIM_PORT, address, () => resolve(true));
  });
}

const block = await claimBlock();
let last = 1;

/** A loopback address that nobody else listens at, as a pod has one; every call gives another. */
export function loopbackAddress(): string {
  last += 1;
  if (last > 254) throw new Error('this test file has used up its loopback addresses');
  return `${block}.${last}`;
}
