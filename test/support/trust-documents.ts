import { type Roots, rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import { signTrustDocument, type TokenKey } from '../../formats/evidence/trust-document.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { createTestAuthority, type TestAuthority } from './test-authority.ts';

const others = createTestAuthority('others');

/** Roots whose `system` is this authority. */
export function rootsOf(system: TestAuthority): Roots {
  return {
    system: [system.root],
    enclaves: [others.root],
    users: [others.root],
    'attestation-keys': [others.root],
  };
}

/** A signed trust document of this version that names these roots. */
export function documentOf(
  signer: TestAuthority,
  version: number,
  roots: Roots,
  keys: readonly TokenKey[] = [],
) {
  const epoch = new Uint8Array(32).fill(version);
  return signTrustDocument(
    nodeCrypto,
    {
      v: 'enclave-trust/1',
      version,
      issuedAt: 1_795_305_600,
      roots,
      rootSets: [rootsSha256(nodeCrypto, rootsToJson(roots))],
      revoked: { certificates: [], users: [], grants: [] },
      pcrSelection: { hash: 'sha256', pcrs: [0] },
      tokenKeys: { keys },
      epoch: { current: epoch, previous: epoch, at: 1_795_305_600 },
    },
    signer.key.spki,
    signer.key.sign,
  );
}
