/**
 * `enclave-licensing/client`: an enclave's user as a program, for Node.js 24 or later. Pin the operator's roots (`readPinnedRoots`), keep
 * what was seen (`TrustStore`), log in and launch at the server (`connectFront`, `launchEnclave`), ask the enclave itself for evidence
 * over a nonce of your own (`challenge`, `fetchEvidence`), judge it (`judgeEvidence`), and speak mutual TLS to exactly the attested
 * certificate (`createAttestedConnector`). What a person has to decide, or cannot be helped, is a `Failure` with code and remedy; an
 * `RpcError` is the server's answer, or that there was none.
 */

export { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
export { type Credential, createCredential } from '../../platform/identity/credential.ts';
export { generateKey, type KeyPair, keyPairOf } from '../../platform/identity/key-pair.ts';
export { RpcError, RpcRefusal } from '../../platform/rpc/rpc-error.ts';
export { elapsedClock } from '../../platform/run/elapsed-clock.ts';
export { Failure, type FailureKind } from '../failure.ts';
export { exportBundle } from '../library/bundle/export-bundle.ts';
export { attest, type Expectation } from '../library/evidence/attest.ts';
export { type FreshEvidence, fetchEvidence } from '../library/evidence/fetch-evidence.ts';
export {
  type Challenge,
  challenge,
  type Judgement,
  judgeEvidence,
} from '../library/evidence/judge-evidence.ts';
export {
  type EnclaveToken,
  type EnclaveTokenRequest,
  issueEnclaveToken,
} from '../library/front/enclave-token.ts';
export { connectFront, type FrontClient } from '../library/front/front-client.ts';
export { formatGrantFile, type GrantFile, parseGrantFile } from '../library/front/grant-file.ts';
export { type Launch, type Launched, launchEnclave } from '../library/front/launch.ts';
export { keySha256 } from '../library/front/owner-key.ts';
export {
  type Granted,
  type OwnerSigned,
  signGrant,
  signRevocation,
} from '../library/front/owner-signature.ts';
export { issueUserCertificate, type UserCertificateRequest } from '../library/front/user-certificate.ts';
export { readPolicyFile } from '../library/policy/policy-file.ts';
export {
  type AttestedConnector,
  type ConnectorOptions,
  createAttestedConnector,
} from '../library/session/attested-connector.ts';
export type { Notice, NoticeCode } from '../library/trust/notice.ts';
export { type PinnedRoots, pinnedRoots, readPinnedRoots } from '../library/trust/pinned-roots.ts';
export { heldTrust, type RefreshedTrust, refreshTrust, type Trust } from '../library/trust/trust.ts';
export { TrustStore } from '../state/trust-store.ts';
