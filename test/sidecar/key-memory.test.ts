/** The key in the sidecar's memory: no string of it, in no encoding, once the TLS context is made. The parent holds what to look for. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'heap-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the real key and listener, hands the PEM out on descriptor 3 as bytes, and writes a snapshot of its heap. `keep` is what a careless program would do. */
const CHILD = (snapshot: string, keep: string): string => `
import { writeSync } from 'node:fs';
import { writeHeapSnapshot } from 'node:v8';
import { createKeyPair } from ${JSON.stringify(resolve('sidecar/key/key-pair.ts'))};
import { createEnclaveListener } from ${JSON.stringify(resolve('sidecar/serve/enclave-listener.ts'))};
import { authorities, roots, SERVER_NAME, unixNow } from ${JSON.stringify(resolve('test/sidecar/trust-fixture.ts'))};
const key = createKeyPair('p256');
const leaf = authorities.enclaves.certify(key.spki, { dns: [SERVER_NAME] });
let bytes;
const spied = { ...key, spend: (use) => key.spend((pem) => { writeSync(3, pem); ${keep}; bytes = pem; return use(pem); }) };
const listener = createEnclaveListener({
  host: '127.0.0.1', port: 0, maxConnections: 9, maxHandshakes: 9, chooseProtocol: () => undefined,
  onConnection() {}, onHandshakeFailure() {}, onDropped() {},
});
const steps = { key: 0, prove: 0, certify: 0, quote: 0 };
await listener.activate({ key: spied, chain: [leaf], request: leaf, steps, notBefore: unixNow(), notAfter: unixNow() + 60 }, roots.users);
// The Buffer itself is kept alive, and nothing of the key is in it any more.
if (!bytes.every((byte) => byte === 0)) process.exit(3);
writeHeapSnapshot(${JSON.stringify(snapshot)});
process.exit(0);
`;

async function snapshotOf(name: string, keep: string): Promise<{ pem: string; heap: string }> {
  const file = join(folder, `${name}.heapsnapshot`);
  const args = ['--input-type=module', '--eval', CHILD(file, keep)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
  let pem = '';
  child.stdio[3]?.on('data', (chunk: Buffer) => {
    pem += chunk.toString();
  });
  expect(await once(child, 'close')).toEqual([0, null]);
  return { pem, heap: readFileSync(file, 'latin1') };
}

test('no string of the key is in the heap; one that a careless program kept would be found', async () => {
  const [ours, careless] = await Promise.all([
    snapshotOf('ours', ''),
    snapshotOf('careless', 'globalThis.kept = pem.toString()'),
  ]);
  /** The private scalar, away from what all keys of the curve share (RFC 5958, RFC 5915: it begins at byte 36 and has 32). */
  const needles = (pem: string): string[] => {
    const body = pem.split('\n')[1] ?? '';
    const scalar = Buffer.from(body, 'base64').subarray(36, 68);
    expect(scalar.length).toBe(32);
    return [body.slice(52, 84), scalar.toString('hex'), scalar.subarray(2, 26).toString('base64url')];
  };
  for (const needle of needles(ours.pem)) expect(ours.heap.includes(needle), needle).toBe(false);
  expect(needles(careless.pem).some((needle) => careless.heap.includes(needle))).toBe(true);
});
