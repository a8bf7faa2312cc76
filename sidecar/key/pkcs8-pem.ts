import type { KeyObject } from 'node:crypto';

const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const BEGIN = '-----BEGIN PRIVATE KEY-----\n';
const END = '\n-----END PRIVATE KEY-----\n';

/**
 * A private key as PKCS#8 PEM in a Buffer of its own, for `tls.createSecureContext`. Node's own PEM export is a string, which nobody
 * can wipe; so base64 is written here byte by byte, and the DER is zero-filled before this returns.
 */
export function pkcs8Pem(key: KeyObject): Buffer {
  const der = key.export({ type: 'pkcs8', format: 'der' });
  try {
    const body = Math.ceil(der.length / 3) * 4;
    const pem = Buffer.allocUnsafeSlow(BEGIN.length + body + END.length);
    let at = pem.write(BEGIN, 'latin1');
    for (let i = 0; i < der.length; i += 3) {
      const [a = 0, b = 0, c = 0] = [der[i], der[i + 1], der[i + 2]];
      const quad = [a >> 2, ((a & 3) << 4) | (b >> 4), ((b & 15) << 2) | (c >> 6), c & 63];
      const present = Math.min(3, der.length - i) + 1;
      for (const [n, sextet] of quad.entries())
        pem[at++] = n < present ? (ALPHABET[sextet] ?? 0) : '='.charCodeAt(0);
    }
    pem.write(END, at, 'latin1');
    return pem;
  } finally {
    der.fill(0);
  }
}
