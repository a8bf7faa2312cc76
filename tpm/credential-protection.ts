import { createCipheriv, createHash, createHmac } from 'node:crypto';
import { concat, toUtf8 } from '../formats/bytes/bytes.ts';
import { Writer } from '../formats/bytes/writer.ts';

const ZERO = Uint8Array.of(0);

/**
 * KDFa (TPM 2.0 Library part 1, 11.4.10.2): SP 800-108 in counter mode with HMAC-SHA-256.
 * @param bits a multiple of 8
 */
function kdfa(
  key: Uint8Array,
  label: string,
  contextU: Uint8Array,
  contextV: Uint8Array,
  bits: number,
): Uint8Array {
  const size = new Writer().u32(bits).finish();
  return expand(bits, (counter) =>
    createHmac('sha256', key)
      .update(concat(counter, toUtf8(label), ZERO, contextU, contextV, size))
      .digest(),
  );
}

/**
 * KDFe (part 1, 11.4.10.3): SP 800-56A concatenation with SHA-256.
 * @param z x coordinate of the shared point, as long as the curve's field
 */
export function kdfe(
  z: Uint8Array,
  label: string,
  partyU: Uint8Array,
  partyV: Uint8Array,
  bits: number,
): Uint8Array {
  return expand(bits, (counter) =>
    createHash('sha256')
      .update(concat(counter, z, toUtf8(label), ZERO, partyU, partyV))
      .digest(),
  );
}

function expand(bits: number, block: (counter: Uint8Array) => Uint8Array): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(bits / 256) }, (_, i) =>
    block(new Writer().u32(i + 1).finish()),
  );
  return concat(...blocks).slice(0, bits / 8);
}

const NO_CONTEXT = new Uint8Array(0);

/**
 * Outer wrap of a credential (part 1, 24.4 and 24.5): encrypts with a key derived from the seed and the object's
 * name, then authenticates both.
 */
export function protectCredential(
  seed: Uint8Array,
  name: Uint8Array,
  credential: Uint8Array,
): { integrityHmac: Uint8Array; encIdentity: Uint8Array } {
  const symmetricKey = kdfa(seed, 'STORAGE', name, NO_CONTEXT, 128);
  const cipher = createCipheriv('aes-128-cfb', symmetricKey, new Uint8Array(16));
  const encIdentity = concat(cipher.update(new Writer().sized16(credential).finish()), cipher.final());
  const hmacKey = kdfa(seed, 'INTEGRITY', NO_CONTEXT, NO_CONTEXT, 256);
  const hmac = createHmac('sha256', hmacKey).update(concat(encIdentity, name)).digest();
  return { integrityHmac: new Uint8Array(hmac), encIdentity };
}
