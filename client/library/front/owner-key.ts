import { toHex } from '../../../formats/bytes/bytes.ts';
import { buildCertificateRequest } from '../../../formats/x509/certificate-request.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import type { KeyPair } from '../../../platform/identity/key-pair.ts';

/** Lower-case hex SHA-256 of the key's SPKI: how pods and statements name an owner key. */
export function keySha256(key: Pick<KeyPair, 'spki'>): string {
  return toHex(nodeCrypto.hash('sha256', key.spki));
}

/** PKCS#10 for a user's certificate: names are the certificate service's to write. */
export function userRequest(key: KeyPair): Uint8Array {
  return buildCertificateRequest({ spki: key.spki }, key.sign, key.scheme);
}
