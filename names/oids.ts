/**
 * Object identifiers. The arc is a UUID, 146d3a05-cf37-5d47-addc-1e0f76173ca9, in seven parts under the arc that Microsoft set aside for such
 * (no registration, no collision). Not under 2.25 (ITU-T X.667) as one number: Go's crypto/x509 parses no arc above 2^31 - 1, and kube-apiserver
 * would take neither the webhook's certificate nor its caBundle.
 */
export const ENCLAVE_LICENSING_ARC =
  '1.2.840.113556.1.8000.2554.5229.14853.53047.23879.44508.1970038.1522857';

export const OID_EVIDENCE_CONTENT = `${ENCLAVE_LICENSING_ARC}.1`;
export const OID_ENCLAVE_BINDING = `${ENCLAVE_LICENSING_ARC}.2`;
export const OID_TPM_TRUST = `${ENCLAVE_LICENSING_ARC}.3`;
export const OID_EKU_ENCLAVE = `${ENCLAVE_LICENSING_ARC}.4`;
export const OID_EKU_USER = `${ENCLAVE_LICENSING_ARC}.5`;
export const OID_EKU_COMPONENT = `${ENCLAVE_LICENSING_ARC}.6`;
export const OID_EKU_AK = `${ENCLAVE_LICENSING_ARC}.7`;
export const OID_USER_BINDING = `${ENCLAVE_LICENSING_ARC}.8`;

/** id-kp-serverAuth and id-kp-clientAuth (RFC 5280, 4.2.1.12). */
export const OID_EKU_SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
export const OID_EKU_CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
/** tcg-kp-AIKCertificate (TCG Credential Profiles). */
export const OID_EKU_TCG_AIK = '2.23.133.8.3';
/** tcg-kp-EKCertificate. */
export const OID_EKU_TCG_EK = '2.23.133.8.1';
/** id-aa-evidence (draft-ietf-lamps-csr-attestation). */
export const OID_AA_EVIDENCE = '1.2.840.113549.1.9.16.2.59';
