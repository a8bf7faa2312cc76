import { createHash } from 'node:crypto';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/**
 * A launched enclave's id: `e` and 15 letters of base32 (RFC 4648), 75 bits of SHA-256("enclave-id/1" || len32(user) || user ||
 * len32(launchId) || launchId). The same launch, retried, has the same id.
 */
export function enclaveId(user: string, launchId: Uint8Array): string {
  const hash = createHash('sha256').update('enclave-id/1');
  for (const part of [Buffer.from(user), launchId]) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    hash.update(length).update(part);
  }
  const digest = hash.digest();
  let bits = 0n;
  for (const byte of digest.subarray(0, 10)) bits = (bits << 8n) | BigInt(byte);
  let id = '';
  for (let index = 0; index < 15; index += 1) {
    id = (ALPHABET[Number(bits & 31n)] ?? '') + id;
    bits >>= 5n;
  }
  return `e${id}`;
}
