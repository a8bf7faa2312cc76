import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { equal } from '../../formats/bytes/bytes.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import {
  type Certificate,
  parseCertificate,
  verifyCertificateSignature,
} from '../../formats/x509/certificate.ts';
import { decodePem, encodePem } from '../../formats/x509/pem.ts';
import { publicKeyKind } from '../../formats/x509/public-key.ts';
import { ISSUERS, type Issuer } from '../../names/signers.ts';
import { readIfThere } from '../../platform/files/read-if-there.ts';
import { writeFileAtomic } from '../../platform/files/write-file-atomic.ts';
import { type Domains, nameConstraintsOf, rootCertificate } from '../issue/root-certificate.ts';
import type { Authority, IssuerKey } from './authority.ts';

export interface FileAuthorityOptions extends Domains {
  readonly folder: string;
  readonly crypto: Crypto;
  /** Unix seconds. */
  readonly now: number;
}

/**
 * Opens the issuers of a folder, and makes those that it does not hold yet: `<issuer>.key.pem` (PKCS#8, mode 0600) and
 * `<issuer>.crt.pem`, P-256. What is there and does not fit is never replaced.
 * @throws Error in one line that says which file is wrong and what to do
 */
export function openFileAuthority(options: FileAuthorityOptions): Authority {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  chmodSync(options.folder, 0o700);
  const keys = new Map<Issuer, IssuerKey>(ISSUERS.map((issuer) => [issuer, openIssuer(issuer, options)]));
  return {
    issuer: (name) => {
      const key = keys.get(name);
      if (key === undefined) throw new Error(`no issuer ${name}`);
      return key;
    },
  };
}

function openIssuer(issuer: Issuer, options: FileAuthorityOptions): IssuerKey {
  const keyPath = join(options.folder, `${issuer}.key.pem`);
  const certificatePath = join(options.folder, `${issuer}.crt.pem`);
  const storedCertificate = readIfThere(certificatePath)?.toString('utf8');
  let keyText = readIfThere(keyPath)?.toString('utf8');
  if (keyText === undefined) {
    if (storedCertificate !== undefined)
      throw new Error(
        `${certificatePath} is there but its key ${keyPath} is not: restore the key from its backup`,
      );
    keyText = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString();
    // The key first: a crash in between leaves a key without certificate, which the next start completes.
    writeFileAtomic(keyPath, keyText, 0o600);
  } else if ((statSync(keyPath).mode & 0o077) !== 0)
    throw new Error(`${keyPath} is open to others: chmod 600 it, and consider its key as known to them`);
  const key = readKey(keyPath, keyText);
  const spki = new Uint8Array(createPublicKey(key).export({ type: 'spki', format: 'der' }));
  if (publicKeyKind(spki) !== 'p256') throw new Error(`${keyPath} is no P-256 key`);
  const signBytes = (message: Uint8Array): Uint8Array => new Uint8Array(sign('sha256', message, key));
  let text = storedCertificate;
  if (text === undefined) {
    const serial = new Uint8Array(randomBytes(16));
    text = encodePem(
      'CERTIFICATE',
      rootCertificate(options.crypto, { ...options, issuer, spki, serial }, signBytes),
    );
    writeFileAtomic(certificatePath, text, 0o644);
  }
  const certificate = readRoot(certificatePath, text);
  checkRoot(certificatePath, issuer, certificate, spki, options);
  return { issuer, certificate, scheme: 'ecdsa-sha256', sign: signBytes };
}

function checkRoot(
  path: string,
  issuer: Issuer,
  root: Certificate,
  spki: Uint8Array,
  options: FileAuthorityOptions,
): void {
  const wrong = (what: string): Error => new Error(`${path}: ${what}`);
  if (!equal(root.spki, spki)) throw wrong('the certificate is for another key than the one beside it');
  if (!verifyCertificateSignature(options.crypto, root, spki))
    throw wrong('the certificate is not signed by its own key');
  if (root.extensions.basicConstraints?.ca !== true) throw wrong('the certificate is no authority’s');
  if (root.notAfter <= options.now || root.notBefore > options.now)
    throw wrong('the certificate is not valid now');
  const wanted = JSON.stringify(nameConstraintsOf(issuer, options) ?? null);
  if (JSON.stringify(root.extensions.nameConstraints ?? null) !== wanted)
    throw wrong('it was made for another trust domain or enclave domain: use those, or a new folder');
}

function readRoot(path: string, text: string): Certificate {
  const blocks = decodePem('CERTIFICATE', text);
  if (!blocks.ok) throw new Error(`${path}: ${blocks.message}`);
  const [der, ...rest] = blocks.value;
  if (der === undefined || rest.length > 0) throw new Error(`${path}: one certificate is expected`);
  const parsed = parseCertificate(der);
  if (!parsed.ok) throw new Error(`${path}: ${parsed.message}`);
  return parsed.value;
}

function readKey(path: string, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    // The library's words may quote the file.
    throw new Error(`${path} is no PKCS#8 private key in PEM`);
  }
}
