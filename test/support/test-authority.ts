import { randomBytes } from 'node:crypto';
import { buildCertificate, type CertificateFields } from '../../formats/x509/certificate.ts';
import { OID_EKU_CLIENT_AUTH, OID_EKU_COMPONENT, OID_EKU_SERVER_AUTH } from '../../names/oids.ts';
import { type Credential, createCredential } from '../../platform/identity/credential.ts';
import { generateKey, type KeyPair } from '../../platform/identity/key-pair.ts';

export interface TestAuthority {
  /** Root, DER. */
  readonly root: Uint8Array;
  readonly key: KeyPair;
  /** A certificate (DER) for the key, with these names and, unless told otherwise, a component's usages. */
  certify(spki: Uint8Array, fields: IssueFields): Uint8Array;
  /** A new key and its certificate. */
  issue(fields: IssueFields): Credential;
}

export interface IssueFields {
  readonly dns?: readonly string[];
  readonly uri?: readonly string[];
  readonly extendedKeyUsage?: readonly string[];
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly commonName?: string;
  readonly extensions?: Partial<CertificateFields['extensions']>;
}

/** A root of its own, for tests of what TLS trusts. */
export function createTestAuthority(commonName = 'test root', key = generateKey()): TestAuthority {
  const now = Math.floor(Date.now() / 1000);
  const name = { commonName };
  const root = buildCertificate(
    {
      serial: serial(),
      issuer: name,
      subject: name,
      notBefore: now - 3600,
      notAfter: now + 3600,
      spki: key.spki,
      extensions: {
        basicConstraints: { ca: true, pathLength: 0 },
        keyUsage: ['keyCertSign', 'cRLSign'],
        subjectKeyIdentifier: new Uint8Array(20).fill(7),
      },
    },
    key.sign,
    key.scheme,
  );
  const certify = (spki: Uint8Array, fields: IssueFields): Uint8Array =>
    buildCertificate(
      {
        serial: serial(),
        issuer: name,
        subject: fields.commonName === undefined ? {} : { commonName: fields.commonName },
        notBefore: fields.notBefore ?? now - 60,
        notAfter: fields.notAfter ?? now + 600,
        spki,
        extensions: {
          keyUsage: ['digitalSignature'],
          extendedKeyUsage: fields.extendedKeyUsage ?? [
            OID_EKU_COMPONENT,
            OID_EKU_SERVER_AUTH,
            OID_EKU_CLIENT_AUTH,
          ],
          subjectAltName: { dns: [...(fields.dns ?? [])], uri: [...(fields.uri ?? [])] },
          ...fields.extensions,
        },
      },
      key.sign,
      key.scheme,
    );
  return {
    root,
    key,
    certify,
    issue: (fields) => {
      const own = generateKey();
      return createCredential(own.privateKey, [certify(own.spki, fields)]);
    },
  };
}

function serial(): Uint8Array {
  const bytes = new Uint8Array(randomBytes(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}
