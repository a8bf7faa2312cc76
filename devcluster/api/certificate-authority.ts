import 'reflect-metadata';
import { createPrivateKey, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY = 24 * 60 * 60 * 1000;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

export interface KeyPairPem {
  readonly certPem: string;
  readonly keyPem: string;
}

/** The cluster's own CA: it issues the API server's certificate and the certificates of its clients. Lives as long as the process. */
export interface CertificateAuthority {
  readonly caPem: string;
  /** Client certificate: CN is the user, each O a group. */
  issueClient(user: string, groups: readonly string[]): Promise<KeyPairPem>;
  issueServer(names: JsonGeneralNames): Promise<KeyPairPem>;
  /** The authority's own key, PKCS#8: for a program that has to issue in its name. */
  exportKey(): Promise<string>;
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), PemConverter.PrivateKeyTag);
}

export async function createCertificateAuthority(name: string): Promise<CertificateAuthority> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const notBefore = new Date(Date.now() - 60_000);
  const ca = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }],
    keys,
    signingAlgorithm: ALGORITHM,
    notBefore,
    notAfter: new Date(notBefore.getTime() + 365 * DAY),
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.digitalSignature, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return authorityOf(ca, keys.privateKey);
}

/** An authority that exists: of an API server that we did not start. Key: PKCS#8 or SEC 1, P-256. */
export async function loadCertificateAuthority(
  certPem: string,
  caKeyPem: string,
): Promise<CertificateAuthority> {
  const der = createPrivateKey(caKeyPem).export({ type: 'pkcs8', format: 'der' });
  const key = await webcrypto.subtle.importKey('pkcs8', new Uint8Array(der), ALGORITHM, false, ['sign']);
  return authorityOf(new X509Certificate(certPem), key);
}

function authorityOf(ca: X509Certificate, signingKey: webcrypto.CryptoKey): CertificateAuthority {
  const notBefore = new Date(Date.now() - 60_000);

  async function issue(
    subject: { CN: string[]; O?: string[] },
    usage: string,
    more: Extension[],
  ): Promise<KeyPairPem> {
    const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const certificate = await X509CertificateGenerator.create({
      // One group a relative distinguished name, as kube-apiserver reads them.
      subject: [...(subject.O ?? []).map((group) => ({ O: [group] })), { CN: subject.CN }],
      // The encoded name, not its text: issuers are compared byte by byte.
      issuer: ca.subjectName,
      publicKey: own.publicKey,
      signingKey,
      signingAlgorithm: ALGORITHM,
      notBefore,
      notAfter: new Date(notBefore.getTime() + 365 * DAY),
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([usage]),
        await AuthorityKeyIdentifierExtension.create(new X509Certificate(ca.rawData)),
        ...more,
      ],
    });
    return { certPem: certificate.toString('pem'), keyPem: await keyPem(own.privateKey) };
  }

  return {
    caPem: ca.toString('pem'),
    exportKey: () => keyPem(signingKey),
    issueClient: (user, groups) => issue({ CN: [user], O: [...groups] }, CLIENT_AUTH, []),
    issueServer: (names) =>
      issue({ CN: ['kube-apiserver'] }, SERVER_AUTH, [new SubjectAlternativeNameExtension(names)]),
  };
}
