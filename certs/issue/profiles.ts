import type { EnclaveBinding, TpmTrust, UserBinding } from '../../formats/x509/bindings.ts';
import {
  OID_EKU_AK,
  OID_EKU_CLIENT_AUTH,
  OID_EKU_COMPONENT,
  OID_EKU_ENCLAVE,
  OID_EKU_SERVER_AUTH,
  OID_EKU_TCG_AIK,
  OID_EKU_USER,
} from '../../names/oids.ts';
import type { Issuer } from '../../names/signers.ts';
import type { CertificateProfile } from './profile.ts';

/** Extended key usages by role: in the root as well, so that a root vouches for nothing else. */
export const ROLE_USAGES: Readonly<Record<Issuer, readonly string[]>> = {
  system: [OID_EKU_COMPONENT, OID_EKU_SERVER_AUTH, OID_EKU_CLIENT_AUTH],
  enclaves: [OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH],
  users: [OID_EKU_USER, OID_EKU_CLIENT_AUTH],
  'attestation-keys': [OID_EKU_AK, OID_EKU_TCG_AIK],
};

const END_ENTITY = { basicConstraints: { ca: false }, keyUsage: ['digitalSignature'] } as const;

type Wishes = Pick<CertificateProfile, 'wishedSeconds' | 'notAfterLimit'>;

/** A component's certificate: DNS names only, the first also readable as common name. */
export function componentProfile(
  spki: Uint8Array,
  dns: readonly string[],
  wishes: Wishes = {},
): CertificateProfile {
  return {
    ...wishes,
    issuer: 'system',
    subject: {},
    spki,
    extensions: {
      ...END_ENTITY,
      extendedKeyUsage: ROLE_USAGES.system,
      subjectAltName: { dns, uri: [] },
    },
  };
}

/** An enclave's certificate: its SPIFFE ID, its DNS name, and what was verified of its pod. */
export function enclaveProfile(
  spki: Uint8Array,
  names: { readonly dns: string; readonly spiffeId: string },
  binding: EnclaveBinding,
  wishes: Wishes = {},
): CertificateProfile {
  return {
    ...wishes,
    issuer: 'enclaves',
    subject: {},
    spki,
    extensions: {
      ...END_ENTITY,
      extendedKeyUsage: ROLE_USAGES.enclaves,
      subjectAltName: { dns: [names.dns], uri: [names.spiffeId] },
      enclaveBinding: binding,
    },
  };
}

/** A user's certificate for one enclave. */
export function userProfile(spki: Uint8Array, binding: UserBinding, wishes: Wishes = {}): CertificateProfile {
  return {
    ...wishes,
    issuer: 'users',
    subject: { commonName: binding.user },
    spki,
    extensions: { ...END_ENTITY, extendedKeyUsage: ROLE_USAGES.users, userBinding: binding },
  };
}

/** An attestation key's certificate: the node's name, and how its TPM was trusted. */
export function attestationKeyProfile(
  spki: Uint8Array,
  node: string,
  tpmTrust: TpmTrust,
): CertificateProfile {
  return {
    issuer: 'attestation-keys',
    subject: { commonName: node },
    spki,
    extensions: { ...END_ENTITY, extendedKeyUsage: ROLE_USAGES['attestation-keys'], tpmTrust },
  };
}
