import { createPrivateKey, createPublicKey, verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { createKeyPair } from '../../sidecar/key/key-pair.ts';

test.each(['p256', 'p384'] as const)('%s: handed out once, as bytes, wiped afterwards', (type) => {
  const key = createKeyPair(type);
  const message = Buffer.from('message');
  const signature = key.sign(message);
  const publicKey = createPublicKey({ key: Buffer.from(key.spki), format: 'der', type: 'spki' });
  expect(verify(type === 'p256' ? 'sha256' : 'sha384', message, publicKey, signature)).toBe(true);
  const pem = key.spend((bytes) => {
    // What Node itself makes of the key, byte for byte.
    const read = createPrivateKey(bytes);
    const own = read.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(bytes.toString().replaceAll('\n', '')).toBe(own.replaceAll('\n', ''));
    expect(createPublicKey(read).equals(publicKey)).toBe(true);
    return bytes;
  });
  expect(pem.every((byte) => byte === 0)).toBe(true);
  expect(() => key.spend(() => {})).toThrow('already');
  expect(() => key.sign(message)).toThrow('already');
});

test('wiped also when it could not be used', () => {
  let seen: Buffer | undefined;
  const key = createKeyPair('p256');
  expect(() =>
    key.spend((bytes) => {
      seen = bytes;
      throw new Error('no context');
    }),
  ).toThrow('no context');
  expect(seen?.every((byte) => byte === 0)).toBe(true);
});
