import type { Policy } from '../../../verify/policy/policy.ts';

/** What a person should know of a policy's member. */
export interface Member {
  /** What it pins. */
  readonly pins: string;
  /** Where its values come from, if not from a bundle. */
  readonly source: string;
  /** What follows from `[any]`. */
  readonly any: string;
}

/** Every member, in the schema's order. */
export const MEMBERS: Readonly<Record<keyof Policy, Member>> = {
  allowEmulatedTpm: {
    pins: 'Whether a TPM that is a program is accepted. Who controls its machine can let it sign anything.',
    source: 'false everywhere but on a development machine.',
    any: 'emulated TPMs are accepted: whoever controls the machine can forge evidence',
  },
  eks: {
    pins: 'Which TPMs: SHA-256 of the endorsement key (SPKI, DER).',
    source:
      "from the operator: kubectl get attestednodes -o custom-columns='NODE:.spec.node,EK:.spec.ekSha256'",
    any: "any TPM that the cluster certified is accepted: the operator's choice of machines is trusted",
  },
  pcrs: {
    pins: 'What the node booted: the values of its TPM’s registers. One set has to fit whole; more may stand beside it while firmware is updated.',
    source: 'on a machine that you trust: tpm2_pcrread sha256:0,1,2,3,4,5,6,7',
    any: 'any PCR values: a modified boot chain is accepted',
  },
  roots: {
    pins: 'Which of the roots that you hold a chain may end in: SHA-256 of the certificate (DER).',
    source:
      "from the operator's file: jq -r '.enclaves[0]' roots.json | base64 -d | sha256sum; the same for attestation-keys",
    any: 'any root that you hold is accepted, those of later trust documents too',
  },
  namespaces: {
    pins: 'The namespace of the pod.',
    source: 'from the operator: the namespace of the EnclaveProfile.',
    any: 'pods of any namespace are accepted: whoever administers one can start them',
  },
  serviceAccounts: {
    pins: 'The service account that the pod runs as.',
    source: "the profile's serviceAccountName, or default.",
    any: 'pods of any service account are accepted',
  },
  enclaves: {
    pins: 'Which enclave, by its id. A new launch has a new id; enclavectl accepts only the one that it launched or was asked for.',
    source: 'enclavectl ls; for a self-deployed one <namespace>.<service account>.',
    any: 'any enclave is accepted where none is named: verify says which one with --enclave',
  },
  images: {
    pins: 'The programs: every container’s image by digest, the sidecar’s too.',
    source: 'from who publishes them; docker buildx imagetools inspect NAME:TAG shows the digest.',
    any: 'any program is accepted',
  },
  specSha256: {
    pins: 'How the programs are started: SHA-256 of commands, arguments, environment, mounts and security contexts. It holds enclave id and owner key, so each launch has another.',
    source:
      'enclavectl policy digest PROFILE --enclave ID --owner-key KEY --roots roots.json --sidecar-image IMAGE',
    any: 'any arguments and environment are accepted, except where enclavectl computes the hash from the profile',
  },
  modes: {
    pins: 'Whether the sidecar passes bytes on (tcp) or requests (http).',
    source: "the profile's mode; tcp where it says none.",
    any: 'both modes are accepted',
  },
  auth: {
    pins: 'How users are let in: by certificate (mtls), or by a token of the server (jwt).',
    source: "the profile's auth; mtls where it says none.",
    any: 'jwt is accepted too: the server then decides who gets in',
  },
  upstream: {
    pins: 'Where the sidecar leads.',
    source: "the profile's upstream.",
    any: 'any upstream is accepted: one on a TCP port may be reached past the sidecar',
  },
  ownerKeys: {
    pins: 'Whose enclave: SHA-256 of the owner key (SPKI, DER). Asked only where you have no key of your own to compare.',
    source: 'openssl pkey -in key.pem -pubout -outform DER | sha256sum',
    any: 'any owner is accepted where you have no key of your own to compare',
  },
  maxAge: {
    pins: 'Seconds since the statement was made.',
    source:
      'connect fetches new evidence when the last one is older: 300 is a fresh quote every five minutes.',
    any: 'old evidence is accepted',
  },
};
