/** Every check in the protocol's order, and what a person should know of it (`enclavectl verify --explain`). */
export const CHECKS = {
  'bundle-shape': 'The bundle has all its parts, each within its bound. Nothing is believed yet.',
  'certificate-chain':
    'The enclave’s certificate was issued by an enclaves root that you hold, is in date, and is an enclave’s: its usages, names and binding are of that role.',
  'live-certificate': 'The peer on this very connection presented exactly this certificate.',
  'batch-proof':
    'The statement is one leaf of the batch whose root the TPM signed; its path has the length that index and count demand.',
  'qualifying-data': 'The TPM’s quote carries the hash of that batch, and nothing else.',
  'quote-signature':
    'The bytes begin with the mark that only a TPM writes for a restricted key, are a quote, and the attestation key signed them.',
  'attestation-key':
    'The attestation key was made in its TPM, cannot leave it, signs only what the TPM itself produced, and is strong enough.',
  'qualified-signer': 'The quote names the attestation key as a key of the TPM’s endorsement hierarchy.',
  'attestation-key-chain':
    'The cluster’s attestation-keys issuer certified exactly this key, for a named node, after credential activation.',
  'tpm-trust':
    'How the node’s TPM itself was trusted: by its vendor’s root, by the operator’s list, or not at all (emulated).',
  statement: 'The signed claims are well-formed: a closed schema, every member once. They are read only now.',
  nonce: 'The evidence answers your own fresh challenge, so it is no recording.',
  age: 'The statement was made recently, and not in the future.',
  confirmation: 'The quote covers this certificate (in a request: this key).',
  node: 'Attestation key, certificate and statement name one node: a stolen node cannot speak for another’s pod.',
  pod: 'Certificate and statement name one pod and one enclave.',
  'owner-key': 'Certificate and statement name one owner key.',
  'pcr-selection':
    'The quote covers exactly the PCRs that were agreed, in one bank, and none that software can reset.',
  'pcr-digest': 'The PCR values shown are those that the TPM signed.',
  'pcr-values': 'The node booted firmware and software that your policy accepts.',
  'known-tpm': 'The node still has the TPM that you saw before.',
  clock: 'The TPM’s reset count, restart count and clock did not go backwards.',
  namespace: 'The pod runs in a namespace that your policy accepts.',
  'service-account': 'The pod runs as a service account that your policy accepts.',
  enclave: 'It is an enclave that your policy accepts.',
  images: 'Every container runs an image, by digest, that your policy accepts.',
  spec: 'The pod’s specification (commands, environment, mounts, security context) has the hash that your policy accepts.',
  access: 'Mode, authentication and upstream of the sidecar are as your policy accepts.',
  owner: 'Only you get in: the owner key is yours, or it signed the grant for your key.',
  roots: 'The sidecar started with roots that you know, so it trusts whom you trust.',
} as const;

export type CheckName = keyof typeof CHECKS;
