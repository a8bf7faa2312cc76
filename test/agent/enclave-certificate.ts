import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EnclaveBinding } from '../../formats/x509/bindings.ts';
import { buildCertificate, parseCertificate } from '../../formats/x509/certificate.ts';
import { decodePem } from '../../formats/x509/pem.ts';
import { OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH } from '../../names/oids.ts';
import type { Issuer } from '../../names/signers.ts';
import { type KeyPair, keyPairOf } from '../../platform/identity/key-pair.ts';

/** The key and the name with which an issuer of the running certificate service signs. */
export interface SigningIssuer {
  readonly key: KeyPair;
  /** Name, DER. */
  readonly subject: Uint8Array;
}

export async function issuerIn(folder: string, issuer: Issuer): Promise<SigningIssuer> {
  const key = keyPairOf(createPrivateKey(await readFile(join(folder, `${issuer}.key.pem`), 'utf8')));
  const der = decodePem('CERTIFICATE', await readFile(join(folder, `${issuer}.crt.pem`), 'utf8'));
  const root = der.ok && der.value[0] ? parseCertificate(der.value[0]) : undefined;
  if (!root?.ok) throw new Error(`${issuer}.crt.pem holds no certificate`);
  return { key, subject: root.value.subject };
}

/** An enclave's certificate as the certificate service writes it, by whatever issuer. */
export function enclaveCertificate(
  issuer: SigningIssuer,
  fields: {
    readonly spki: Uint8Array;
    readonly subjectAltName: { readonly dns: readonly string[]; readonly uri: readonly string[] };
    readonly enclaveBinding: EnclaveBinding;
    /** Unix seconds. */
    readonly notAfter: number;
  },
): Uint8Array {
  const { spki, subjectAltName, enclaveBinding, notAfter } = fields;
  return buildCertificate(
    {
      serial: Uint8Array.of(5),
      issuer: issuer.subject,
      subject: {},
      notBefore: notAfter - 660,
      notAfter,
      spki,
      extensions: {
        basicConstraints: { ca: false },
        keyUsage: ['digitalSignature'],
        extendedKeyUsage: [OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH],
        subjectAltName,
        enclaveBinding,
      },
    },
    issuer.key.sign,
    issuer.key.scheme,
  );
}
