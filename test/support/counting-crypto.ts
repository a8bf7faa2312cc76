import type { Crypto } from '../../formats/crypto/crypto.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';

/** Node's crypto behind the seam, and how often it was asked since `reset`. */
export interface CountingCrypto extends Crypto {
  readonly asked: { hashes: number; signatures: number };
  reset(): void;
}

export function countingCrypto(): CountingCrypto {
  const asked = { hashes: 0, signatures: 0 };
  return {
    asked,
    reset: () => {
      asked.hashes = 0;
      asked.signatures = 0;
    },
    hash: (algorithm, bytes) => {
      asked.hashes++;
      return nodeCrypto.hash(algorithm, bytes);
    },
    verifySignature: (spki, scheme, message, signature) => {
      asked.signatures++;
      return nodeCrypto.verifySignature(spki, scheme, message, signature);
    },
  };
}
