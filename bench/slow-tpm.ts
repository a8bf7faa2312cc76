/**
 * `slow-tpm.ts SOCKET SWTPM_SOCKET`: stands before swtpm, in a process of its own, and makes TPM2_Quote take as long as a real TPM does.
 * Messages of its parent are milliseconds, from the last byte of the command to the response; 0: as fast as swtpm is.
 */
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { QUOTE } from '../formats/tpm/commands.ts';

const [listenAt = '', swtpm = ''] = process.argv.slice(2);
let quoteMs = 0;
process.on('message', (ms) => {
  quoteMs = Number(ms);
  process.send?.('done');
});
process.on('disconnect', () => process.exit());

/** Commands and responses carry their length in bytes 2 to 5. Whole ones are passed on. */
function framed(socket: Socket, take: (frame: Buffer) => void): void {
  let received: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    while (received.length >= 10 && received.length >= received.readUInt32BE(2)) {
      const size = received.readUInt32BE(2);
      take(received.subarray(0, size));
      received = received.subarray(size);
    }
  });
}

/** A timer is late by up to a millisecond and more: the last two are waited out. */
async function until(when: number): Promise<void> {
  const left = when - performance.now() - 2;
  if (left > 0) await sleep(left);
  while (performance.now() < when);
}

const server = createServer((client) => {
  const tpm = connect({ path: swtpm });
  let due = 0;
  framed(client, (command) => {
    due = command.readUInt32BE(6) === QUOTE.code ? performance.now() + quoteMs : 0;
    tpm.write(command);
  });
  framed(tpm, (response) => void until(due).then(() => client.write(response)));
  for (const [one, other] of [
    [client, tpm],
    [tpm, client],
  ] as const) {
    one.on('error', () => {});
    one.on('close', () => other.destroy());
  }
});
server.listen(listenAt, () => process.send?.('listening'));
