/** Object identifiers. The arc is a UUID's (ITU-T X.667): no registration, no collision. */
export const ENCLAVE_LICENSING_ARC = '2.25.27151697113306766493219133470000233641';

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
