import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { encodePem } from '../../formats/x509/pem.ts';

/** A private key and the certificate chain that goes with it. */
export interface Credential {
  readonly privateKey: KeyObject;
  /** DER, leaf first, without the root. Never empty. */
  readonly chain: readonly Uint8Array[];
  /** Unix seconds of the leaf. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** @throws when the chain is empty, unreadable, or its leaf's key is not the private key's. */
export function createCredential(privateKey: KeyObject, chain: readonly Uint8Array[]): Credential {
  const [leaf] = chain;
  if (leaf === undefined) throw new Error('a credential needs a certificate');
  const certificate = new X509Certificate(leaf);
  if (!certificate.checkPrivateKey(privateKey)) throw new Error('the certificate is for another key');
  return {
    privateKey,
    chain: [...chain],
    notBefore: certificate.validFromDate.getTime() / 1000,
    notAfter: certificate.validToDate.getTime() / 1000,
  };
}

/** The chain as PEM, leaf first: what Node's TLS takes. */
export function chainPem(credential: Pick<Credential, 'chain'>): string {
  return credential.chain.map((der) => encodePem('CERTIFICATE', der)).join('');
}

/** PKCS#8 PEM, for Node's TLS and for files of mode 0600 only. */
export function privateKeyPem(privateKey: KeyObject): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Reads a PKCS#8 PEM. @throws when it is none */
export function readPrivateKey(pem: string): KeyObject {
  return createPrivateKey(pem);
}
