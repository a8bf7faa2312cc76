import type { VerifyCode } from './verify-code.ts';

/** What a person should know of a check. */
export interface Explanation {
  /** What is compared. */
  readonly what: string;
  /** What an attacker gains where it is left out. */
  readonly why: string;
  /** What to do when it fails. */
  readonly remedy: string;
  /** Where that depends on the failure class. */
  readonly remedies?: Readonly<Partial<Record<VerifyCode, string>>>;
}

const ASK = 'Do not connect. Keep the bundle (enclavectl bundle export) and show it to the operator.';
const ALTERED =
  'The bundle was altered, mixed from several, or made by other software. Fetch fresh evidence; if it fails again, do not connect and tell the operator.';
const CLOCKS = 'Compare the clock of this machine with the cluster’s; an old bundle is judged with --at.';
const CHAINS = {
  'chain-no-roots': 'You hold no root of this role: pin the operator’s roots.json (enclavectl init).',
  'chain-untrusted':
    'It is a certificate of another cluster, or of a root that you do not hold or do not list under roots in the policy. Ask the operator, out of band, for the present roots.json and its fingerprint; never take them from the server that they judge.',
  'chain-expired': `The certificate is out of date. ${CLOCKS} If it is fresh evidence, the node or pod failed to renew: tell the operator.`,
  'chain-not-yet-valid': `The certificate is not valid yet. ${CLOCKS}`,
  'chain-name':
    'The certificate is for another name than you asked for: connect by the name in the certificate, and check that it is the enclave you mean.',
  'chain-role': `A certificate of one role is used in another. This is an attack or a defect of the cluster. ${ASK}`,
} as const satisfies Partial<Record<VerifyCode, string>>;

/** Every check in the protocol's order, and what a person should know of it (`enclavectl verify --explain`). */
export const CHECKS = {
  'bundle-shape': {
    what: 'The bundle has all its parts, each within its bound. Nothing is believed yet.',
    why: 'Whoever sends oversized or missing parts must not reach the checks behind, which rely on these bounds.',
    remedy: 'Fetch the bundle again; a bundle cut in transit or made by another version looks like this.',
  },
  'certificate-chain': {
    what: 'The enclave’s certificate was issued by an enclaves root that you hold, is in date, and is an enclave’s: its usages, names and binding are of that role.',
    why: 'Otherwise anybody could present a certificate of their own, or one that the cluster issued for another purpose.',
    remedy: ASK,
    remedies: CHAINS,
  },
  'live-certificate': {
    what: 'The peer on this very connection presented exactly the certificate that is in the bundle.',
    why: 'Good evidence can be copied. Without this check a machine in the middle could show another’s evidence and speak with a key of its own.',
    remedy:
      'The enclave may have renewed its certificate in between: attest again. If it fails twice, somebody stands between you and the enclave: do not connect.',
  },
  'batch-proof': {
    what: 'The statement is one leaf of the batch whose root the TPM signed; its path has the length that index and count demand.',
    why: 'One quote covers many statements. Without the exact path, an inner hash could pass for a statement, or a foreign statement be slipped in.',
    remedy: ALTERED,
  },
  'qualifying-data': {
    what: 'The TPM’s quote carries the hash of that batch’s count and root, and nothing else.',
    why: 'This ties the statement to the signature. Without it, a genuine quote could be shown beside any statement.',
    remedy: ALTERED,
  },
  'quote-signature': {
    what: 'The quoted bytes begin with the mark that a TPM puts before what it made itself, are a quote, and the attestation key signed them.',
    why: 'Everything below rests on this signature. The mark keeps data that somebody had the TPM sign from passing for a quote.',
    remedy: ALTERED,
    remedies: {
      'quote-not-a-quote': `The TPM signed something else than a quote. ${ASK}`,
      'quote-magic': `The bytes were not made by a TPM. ${ASK}`,
    },
  },
  'attestation-key': {
    what: 'The attestation key was made in its TPM, cannot leave it, signs only what the TPM itself produced, and is strong enough; no SHA-1 anywhere.',
    why: 'A key that could sign foreign bytes, or be copied, would let software write quotes.',
    remedy: `The node’s agent uses a key of the wrong kind, or this is no TPM’s key. ${ASK}`,
    remedies: {
      'attestation-key-weak':
        'The key is too short or of another kind than RSA 2048, 3072, 4096, P-256 or P-384: the operator has to enrol the node again with another key.',
      'attestation-key-scheme':
        'The key’s scheme is not one with SHA-256 or SHA-384: the operator has to enrol the node again with another key.',
    },
  },
  'qualified-signer': {
    what: 'The quote names the attestation key as a primary key of the TPM’s endorsement hierarchy; the name is recomputed.',
    why: 'In that hierarchy reset and restart counts are true. Elsewhere the TPM obscures them, and a rollback would not show.',
    remedy: `The agent’s key lies in another hierarchy, or the quote is of another key. ${ASK}`,
  },
  'attestation-key-chain': {
    what: 'The cluster’s attestation-keys issuer certified exactly this key, for a named node, after the node’s TPM had proved that it holds the key.',
    why: 'Otherwise a key made in software, with plausible attributes, would do.',
    remedy: ASK,
    remedies: {
      ...CHAINS,
      'attestation-key-certificate': `The certificate is of another key, or does not say whose TPM it is. ${ASK}`,
    },
  },
  'tpm-trust': {
    what: 'How the node’s TPM itself was trusted: by its vendor’s root, by the operator’s list, or not at all (emulated); and whether it is a TPM of your policy.',
    why: 'An emulated TPM is a program: who controls the machine reads its keys and lets it sign anything.',
    remedy: ASK,
    remedies: {
      'tpm-emulated':
        'The node has an emulated TPM. On a development machine, write allowEmulatedTpm: true in the policy; anywhere else do not connect.',
      'tpm-not-accepted':
        'The node’s TPM is not one that the policy lists. Ask the operator, out of band, whether the node is new, and for its EK’s hash (kubectl get attestednodes -o yaml); then add it to eks in the policy.',
    },
  },
  statement: {
    what: 'The signed claims are well-formed: a closed schema, every member once. They are read only now, after the signature.',
    why: 'Two programs that read one text differently can be played against each other; so there is one reading, and all else is refused.',
    remedy:
      'The agent is of another version than this client, or somebody made the TPM sign other bytes. Compare versions; otherwise do not connect.',
  },
  nonce: {
    what: 'The evidence answers your own fresh challenge.',
    why: 'Otherwise it may be a recording from before the machine was tampered with.',
    remedy:
      'Ask again with a new nonce, and give the one that was asked with. If the answer repeats an old one, do not connect.',
  },
  age: {
    what: 'The statement was made within the policy’s maxAge, and not in the future.',
    why: 'Evidence says what was so when it was made. The older it is, the less it says of now.',
    remedy: `Fetch fresh evidence. ${CLOCKS}`,
    remedies: {
      'evidence-from-the-future': CLOCKS,
      'evidence-too-old': `Fetch fresh evidence (enclavectl status ID --verify). ${CLOCKS} Longer ages are allowed by maxAge in the policy.`,
    },
  },
  confirmation: {
    what: 'The quote covers this certificate, by its SHA-256 (in a request: the key, by the SHA-256 of its SPKI).',
    why: 'This ties the TPM’s word to the key that you will talk to. Otherwise evidence of one enclave could be shown with the certificate of another.',
    remedy: ALTERED,
    remedies: {
      'confirmation-form':
        'This is evidence of another moment: that inside a request covers a key before it has a certificate, and is for the certificate service only. Fetch the enclave’s own evidence.',
    },
  },
  node: {
    what: 'Attestation key, certificate and statement name one node.',
    why: 'A stolen node could otherwise speak for another node’s pod.',
    remedy: `A node claims a pod that is another’s. This is an attack or a defect of the cluster. ${ASK}`,
  },
  pod: {
    what: 'Certificate and statement name one pod, one enclave and one identity (SPIFFE ID).',
    why: 'A genuine statement of another pod on the same node would otherwise pass for yours.',
    remedy: ASK,
  },
  'owner-key': {
    what: 'Certificate and statement name one owner key, or both none.',
    why: 'The owner key decides who gets in. What the cluster certified and what the TPM signed must agree on it.',
    remedy: ASK,
  },
  'pcr-selection': {
    what: 'The quote covers exactly the PCRs that cluster and policy name, in one bank of SHA-256 or SHA-384, and none that software can reset.',
    why: 'A quote of fewer or other registers is true and says nothing: the register with the bad value would be left out.',
    remedy:
      'Policy and cluster name other PCRs. Compare (enclavectl policy diff BUNDLE); ask the operator which selection the cluster has, and write the sets of the policy with exactly these.',
    remedies: {
      'pcr-resettable':
        'The quote holds a register that software can reset (16 and above). The cluster’s selection is wrong: tell the operator.',
    },
  },
  'pcr-digest': {
    what: 'The PCR values shown are those that the TPM signed: their hash is recomputed.',
    why: 'The quote holds only the hash; the values beside it are believed for nothing else.',
    remedy: ALTERED,
  },
  'pcr-values': {
    what: 'The node booted firmware and software that your policy accepts: one of its sets fits whole.',
    why: 'A changed boot loader or kernel shows here, and nowhere else.',
    remedy:
      'See which registers differ: enclavectl policy diff BUNDLE. Ask the operator, out of band, whether firmware or kernel was updated; then add the new values as another set. An unexplained change is a changed machine: do not connect.',
  },
  'known-tpm': {
    what: 'The node still has the TPM that you saw before.',
    why: 'Another machine under the name of a known node would otherwise go unnoticed.',
    remedy:
      'Ask the operator, out of band, whether the node’s hardware was exchanged. Only then accept it: enclavectl trust accept.',
  },
  clock: {
    what: 'The TPM’s reset count, restart count and clock did not go backwards since you last saw it; after a power loss (safe = NO) only a fresh nonce and a higher reset count pass.',
    why: 'Going backwards is the mark of a TPM whose state was rolled back, or of an old quote shown again.',
    remedy:
      'Fetch fresh evidence. If it goes backwards again, the TPM was rolled back or cleared: ask the operator; do not connect until it is explained.',
    remedies: {
      'clock-unsafe':
        'The TPM lost power without a clean shutdown, and its clock may have gone back. Attest again with a nonce; it passes once the TPM has counted a reset.',
    },
  },
  namespace: {
    what: 'The pod runs in a namespace that your policy accepts.',
    why: 'Whoever administers another namespace may start pods there, with images and names of their choice.',
    remedy:
      'Check that it is the enclave you mean. If the namespace is right, add it to namespaces in the policy.',
  },
  'service-account': {
    what: 'The pod runs as a service account that your policy accepts.',
    why: 'The service account is what the pod may do in the cluster, and part of its identity.',
    remedy:
      'Check that it is the enclave you mean. If the account is right, add it to serviceAccounts in the policy.',
  },
  enclave: {
    what: 'It is an enclave that your policy accepts, or the one that you launched.',
    why: 'Another genuine enclave, of another user, would otherwise do.',
    remedy:
      'You are shown another enclave’s evidence. Check the id; add it to enclaves in the policy only if you mean it.',
  },
  images: {
    what: 'Every container runs an image, by digest, that your policy accepts; the sidecar’s too.',
    why: 'The image is the program. One container with another program in it can read what passes through the pod.',
    remedy:
      'Ask the publisher, out of band, for the digests of the release; after an update add them to images in the policy. An image that nobody knows is a reason not to connect.',
  },
  spec: {
    what: 'The pod’s specification (commands, arguments, environment, mounts, security context) has a hash that your policy accepts, or the one that was computed from the profile.',
    why: 'The right image with other arguments can be another program.',
    remedy:
      'Compute the hash yourself: enclavectl policy digest PROFILE. If profile, owner key, roots and sidecar image are as you believe and the hash differs, the pod was started otherwise: do not connect.',
  },
  access: {
    what: 'Mode, authentication and upstream of the sidecar are as your policy accepts.',
    why: 'In another mode other people get in, or your bytes go to another program.',
    remedy:
      'Compare with the profile that was launched. Change modes, auth or upstream in the policy only if you mean it.',
  },
  owner: {
    what: 'Only you get in: the owner key is yours, or it signed the grant for your key.',
    why: 'Otherwise you would give your data to an enclave that opens for somebody else.',
    remedy:
      'It is not your enclave, or your key is another than at launch: check --owner-key, or the key that is kept here.',
    remedies: {
      'grant-refused':
        'The grant is of another enclave, for another key, over, or not signed by the owner: ask the owner for a new one.',
    },
  },
  roots: {
    what: 'The sidecar started with a set of roots that you know.',
    why: 'The sidecar lets in whom its roots certified. With foreign roots it trusts strangers.',
    remedy:
      'The enclave was started under roots that you do not hold. Ask the operator, out of band, for the present roots.json; enclaves from before a change of roots have to be launched again.',
  },
} as const satisfies Readonly<Record<string, Explanation>>;

/** Name of a check, as verdicts have it. */
export type CheckName = keyof typeof CHECKS;

export function isCheckName(name: string): name is CheckName {
  return Object.hasOwn(CHECKS, name);
}

/** What to do when this check failed with this class. */
export function remedyOf(name: CheckName, code: VerifyCode | undefined): string {
  const { remedy, remedies }: Explanation = CHECKS[name];
  return (code === undefined ? undefined : remedies?.[code]) ?? remedy;
}
