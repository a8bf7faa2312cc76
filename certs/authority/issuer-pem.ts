import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { equal } from '../../formats/bytes/bytes.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import {
  type Certificate,
  parseCertificate,
  verifyCertificateSignature,
} from '../../formats/x509/certificate.ts';
import { decodePem, encodePem } from '../../formats/x509/pem.ts';
import { publicKeyKind } from '../../formats/x509/public-key.ts';
import type { Issuer } from '../../names/signers.ts';
import { ROLE_USAGES } from '../issue/profiles.ts';
import { type Domains, nameConstraintsOf, rootCertificate } from '../issue/root-certificate.ts';
import type { IssuerKey } from './authority.ts';

/** An issuer as it is kept: PKCS#8 and X.509, both in PEM. */
export interface IssuerPem {
  readonly key: string;
  readonly certificate: string;
}

export interface IssuerContext extends Domains {
  readonly crypto: Crypto;
  /** Unix seconds. */
  readonly now: number;
  random(bytes: number): Uint8Array;
}

const SERIAL_BYTES = 16;

/** A new P-256 key and the root that it signs for itself. */
export function makeIssuer(issuer: Issuer, context: IssuerContext): IssuerPem {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const fields = { ...context, issuer, spki: spkiOf(privateKey), serial: context.random(SERIAL_BYTES) };
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: encodePem(
      'CERTIFICATE',
      rootCertificate(context.crypto, fields, (tbs) => signWith(privateKey, tbs)),
    ),
  };
}

/**
 * Reads an issuer that was kept, and checks that it is one: whole, of one pair, valid now, of this role and these domains.
 * @param where it was kept, for the message
 * @throws Error in one line that says what is wrong, and never what the key is
 */
export function readIssuer(where: string, issuer: Issuer, pem: IssuerPem, context: IssuerContext): IssuerKey {
  const key = readKey(where, pem.key);
  const spki = spkiOf(key);
  if (publicKeyKind(spki) !== 'p256') throw new Error(`${where}: the key is no P-256 key`);
  const certificate = readRoot(where, pem.certificate);
  checkRoot(where, issuer, certificate, spki, context);
  return { issuer, certificate, scheme: 'ecdsa-sha256', sign: (message) => signWith(key, message) };
}

function checkRoot(
  where: string,
  issuer: Issuer,
  root: Certificate,
  spki: Uint8Array,
  context: IssuerContext,
): void {
  const wrong = (what: string): Error => new Error(`${where}: ${what}`);
  if (!equal(root.spki, spki)) throw wrong('the certificate is for another key than the one beside it');
  if (!verifyCertificateSignature(context.crypto, root, spki))
    throw wrong('the certificate is not signed by its own key');
  if (root.extensions.basicConstraints?.ca !== true) throw wrong('the certificate is no authority’s');
  const usages = JSON.stringify(ROLE_USAGES[issuer]);
  if (JSON.stringify(root.extensions.extendedKeyUsage ?? []) !== usages)
    throw wrong('the certificate is another role’s');
  if (root.notAfter <= context.now || root.notBefore > context.now)
    throw wrong('the certificate is not valid now');
  const wanted = JSON.stringify(nameConstraintsOf(issuer, context) ?? null);
  if (JSON.stringify(root.extensions.nameConstraints ?? null) !== wanted)
    throw wrong('it was made for another trust domain or enclave domain: set those');
}

function readRoot(where: string, text: string): Certificate {
  const blocks = decodePem('CERTIFICATE', text);
  if (!blocks.ok) throw new Error(`${where}: ${blocks.message}`);
  const [der, ...rest] = blocks.value;
  if (der === undefined || rest.length > 0) throw new Error(`${where}: one certificate is expected`);
  const parsed = parseCertificate(der);
  if (!parsed.ok) throw new Error(`${where}: ${parsed.message}`);
  return parsed.value;
}

function readKey(where: string, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    // The library's words may quote the text.
    throw new Error(`${where}: the key is no PKCS#8 private key in PEM`);
  }
}

function spkiOf(key: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ type: 'spki', format: 'der' }));
}

function signWith(key: KeyObject, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign('sha256', message, key));
}
