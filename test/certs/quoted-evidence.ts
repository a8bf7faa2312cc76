import { randomBytes } from 'node:crypto';
import { toBase64url } from '../../formats/bytes/base64.ts';
import { batchTree, leafHash, qualifyingData } from '../../formats/evidence/batch.ts';
import { type Bundle, encodeBundle } from '../../formats/evidence/bundle.ts';
import { rootsSha256 } from '../../formats/evidence/roots.ts';
import { encodeStatement, STATEMENT_PROFILE } from '../../formats/evidence/statement.ts';
import { encodePublic } from '../../formats/tpm/public.ts';
import { specSha256 } from '../../injection/spec-sha256.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import { loadAttestationKey } from '../../tpm/attestation-key.ts';
import type { TpmExecutor } from '../../tpm/executor.ts';
import { quote, readPcrs } from '../../tpm/quote.ts';
import { seconds } from './session.ts';

const SELECTION = { hash: 'sha256', pcrs: [0, 1, 2, 3, 4, 5, 6, 7] } as const;

export interface Quoted {
  readonly tpm: TpmExecutor;
  readonly akChain: readonly Uint8Array[];
  readonly pod: Pod;
  readonly enclave: string;
  readonly ownerKeySha256: string;
  readonly rootsText: string;
}

/** Evidence over a key, as the pod's agent on node-1 makes it: a batch of one, quoted by the TPM. */
export async function quotedEvidence(
  quoted: Quoted,
  spki: Uint8Array,
  nonce: Uint8Array,
): Promise<Uint8Array> {
  const attestationKey = await loadAttestationKey(quoted.tpm);
  const { metadata = {}, spec } = quoted.pod;
  const statement = encodeStatement({
    eat_profile: STATEMENT_PROFILE,
    eat_nonce: toBase64url(nonce),
    iat: seconds(),
    sub: 'spiffe://enclave-licensing.internal/ns/team/sa/default',
    cnf: { 'spki#S256': toBase64url(nodeCrypto.hash('sha256', spki)) },
    pod: {
      namespace: 'team',
      name: metadata.name ?? '',
      uid: metadata.uid ?? '',
      serviceAccount: 'default',
      node: 'node-1',
      enclave: quoted.enclave,
      images: [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map(({ name, image = '' }) => ({
        container: name,
        image,
      })),
      specSha256: specSha256(nodeCrypto, spec ?? {}),
    },
    access: {
      mode: 'tcp',
      upstream: 'unix:/run/enclave/app.sock',
      auth: 'mtls',
      ownerKeySha256: quoted.ownerKeySha256,
      rootsSha256: rootsSha256(nodeCrypto, quoted.rootsText),
    },
  });
  const blinder = new Uint8Array(randomBytes(32));
  const tree = batchTree(nodeCrypto, [leafHash(nodeCrypto, statement, blinder)]);
  const made = await quote(
    quoted.tpm,
    attestationKey.handle,
    qualifyingData(nodeCrypto, 1, tree.root),
    SELECTION,
  );
  const bundle: Bundle = {
    certificateChain: [],
    statement,
    blinder,
    leafIndex: 0,
    leafCount: 1,
    path: [],
    attest: made.attest,
    signature: made.signature,
    pcrValues: { hashAlgorithm: 0x000b, values: await readPcrs(quoted.tpm, SELECTION) },
    eventLog: new Uint8Array(0),
    attestationKeyPublic: encodePublic(attestationKey.public),
    attestationKeyCertificateChain: [...quoted.akChain],
    endpoint: '',
    serverName: '',
  };
  return encodeBundle(bundle);
}
