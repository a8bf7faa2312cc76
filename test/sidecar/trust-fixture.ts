import { createHash } from 'node:crypto';
import { encodeGrant, type Grant, grantMessage } from '../../formats/evidence/grant.ts';
import { type Roots, rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import { signTrustDocument, type TrustDocument } from '../../formats/evidence/trust-document.ts';
import { OID_EKU_CLIENT_AUTH, OID_EKU_USER } from '../../names/oids.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import type { Credential } from '../../platform/identity/credential.ts';
import { createCredential } from '../../platform/identity/credential.ts';
import { generateKey, type KeyPair } from '../../platform/identity/key-pair.ts';
import { createTestAuthority, type IssueFields } from '../support/test-authority.ts';

export const ENCLAVE = 'eabcdefghijklmno';
export const SERVER_NAME = `${ENCLAVE}.enclaves.enclave-licensing.internal`;
export const NODE = 'node-1';

export const authorities = {
  system: createTestAuthority('system'),
  enclaves: createTestAuthority('enclaves'),
  users: createTestAuthority('users'),
  'attestation-keys': createTestAuthority('attestation-keys'),
};
export const roots: Roots = {
  system: [authorities.system.root],
  enclaves: [authorities.enclaves.root],
  users: [authorities.users.root],
  'attestation-keys': [authorities['attestation-keys'].root],
};
export const rootsText = rootsToJson(roots);

export function unixNow(): number {
  return Math.floor(Date.now() / 1000);
}

export function keySha256(key: Pick<KeyPair, 'spki'>): string {
  return createHash('sha256').update(key.spki).digest('hex');
}

export const owner = generateKey();

/** A user's certificate as the certificate service makes it, and what a test changes. */
export function userCredential(
  key: KeyPair,
  binding: { enclave?: string; user?: string; grant?: Uint8Array; grantSignature?: Uint8Array } = {},
  fields: IssueFields = {},
  authority = authorities.users,
): Credential {
  const der = authority.certify(key.spki, {
    extendedKeyUsage: [OID_EKU_USER, OID_EKU_CLIENT_AUTH],
    ...fields,
    extensions: {
      subjectAltName: undefined,
      userBinding: { enclave: ENCLAVE, user: 'alice', ...binding },
      ...fields.extensions,
    },
  });
  return createCredential(key.privateKey, [der]);
}

/** A grant by the owner for this key, as it travels in the certificate. */
export function grantFor(key: Pick<KeyPair, 'spki'>, changes: Partial<Grant> = {}, signer = owner) {
  const grant = encodeGrant({
    v: 'enclave-grant/1',
    enclave: ENCLAVE,
    ownerKey: owner.spki,
    keySha256: keySha256(key),
    user: 'bob',
    notAfter: unixNow() + 300,
    ...changes,
  });
  return { grant, grantSignature: signer.sign(grantMessage(grant)) };
}

export function trustDocument(version: number, changes: Partial<TrustDocument> = {}): TrustDocument {
  return {
    v: 'enclave-trust/1',
    version,
    issuedAt: unixNow(),
    roots,
    rootSets: [rootsSha256(nodeCrypto, rootsText)],
    revoked: { certificates: [], users: [], grants: [] },
    pcrSelection: { hash: 'sha256', pcrs: [0, 1] },
    tokenKeys: { keys: [] },
    epoch: { current: new Uint8Array(32).fill(1), previous: new Uint8Array(32).fill(1), at: unixNow() },
    ...changes,
  };
}

export function signedTrust(document: TrustDocument, signer = authorities.system) {
  return signTrustDocument(nodeCrypto, document, signer.key.spki, signer.key.sign);
}
