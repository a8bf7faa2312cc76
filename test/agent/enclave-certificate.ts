import { createPrivateKey } from 'node:crypto';
import type { EnclaveBinding } from '../../formats/x509/bindings.ts';
import { buildCertificate, parseCertificate } from '../../formats/x509/certificate.ts';
import { decodePem } from '../../formats/x509/pem.ts';
import { issuerSecret } from '../../names/certs-state.ts';
import { DEFAULT_RELEASE_NAMESPACE } from '../../names/components.ts';
import { OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH } from '../../names/oids.ts';
import type { Issuer } from '../../names/signers.ts';
import { type KeyPair, keyPairOf } from '../../platform/identity/key-pair.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { SECRETS } from '../../platform/kube/resources.ts';

/** The key and the name with which an issuer of the running certificate service signs. */
export interface SigningIssuer {
  readonly key: KeyPair;
  /** Name, DER. */
  readonly subject: Uint8Array;
}

export async function issuerIn(kube: Kube, issuer: Issuer): Promise<SigningIssuer> {
  const secret = await kube.get(SECRETS, {
    namespace: DEFAULT_RELEASE_NAMESPACE,
    name: issuerSecret(issuer),
  });
  const text = (key: string): string => Buffer.from(secret?.data?.[key] ?? '', 'base64').toString();
  const der = decodePem('CERTIFICATE', text('certificate.pem'));
  const root = der.ok && der.value[0] ? parseCertificate(der.value[0]) : undefined;
  if (!root?.ok) throw new Error(`the Secret of ${issuer} holds no certificate`);
  return { key: keyPairOf(createPrivateKey(text('key.pem'))), subject: root.value.subject };
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
