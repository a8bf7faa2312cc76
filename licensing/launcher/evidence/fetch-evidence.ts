import type { TLSSocket } from 'node:tls';
import { toBase64url } from '../../../formats/bytes/base64.ts';
import { equal } from '../../../formats/bytes/bytes.ts';
import { type Bundle, decodeBundle, MAX_BUNDLE_BYTES } from '../../../formats/evidence/bundle.ts';
import type { Roots } from '../../../formats/evidence/roots.ts';
import { EVIDENCE_ALPN, EVIDENCE_PATHS, MEDIA_TYPES, PORTS } from '../../../names/wire.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import { AnswerTooLarge, getOver } from '../../../platform/http/get-over.ts';
import { readProblem } from '../../../platform/http/problem.ts';
import { dialTls } from '../../../platform/tls/dial.ts';
import { peerCertificate } from '../../../platform/tls/peer.ts';
import { verifyChain } from '../../../verify/certificate-chain.ts';
import { LaunchFailure } from '../launch-failure.ts';

export interface EvidenceSource {
  readonly podIp: string;
  readonly podUid: string;
  /** The enclave's DNS name. */
  readonly serverName: string;
  readonly localAddress: string;
  readonly roots: Roots;
  /** Unix seconds. */
  readonly now: number;
  /** The sidecar's, but for tests. */
  readonly port?: number;
}

const TIMEOUT_MS = 15_000;

/**
 * Fresh evidence from a pod's sidecar over TLS with ALPN `enclave-evidence/1`: chain, name, role and pod UID of the live certificate are checked, and that
 * the bundle is about that certificate. Judging the bundle is the client's.
 * @throws LaunchFailure `evidence-refused` when the answer is not to be believed or the sidecar refuses; other errors when it cannot be reached
 */
export async function fetchEvidence(
  source: EvidenceSource,
  nonce: Uint8Array,
  signal: AbortSignal,
): Promise<Bundle> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const socket = await dialTls({
    host: source.podIp,
    port: source.port ?? PORTS.sidecar,
    serverName: source.serverName,
    roots: source.roots.enclaves,
    alpn: [EVIDENCE_ALPN],
    localAddress: source.localAddress,
    signal: within,
  });
  try {
    const live = peerCertificate(socket);
    const body = await get(
      socket,
      `${EVIDENCE_PATHS.evidence}?nonce=${toBase64url(nonce)}`,
      source.serverName,
      within,
    );
    const bundle = decodeBundle(body);
    if (!bundle.ok) throw new LaunchFailure('evidence-refused', bundle.message);
    const [leaf] = bundle.value.certificateChain;
    if (live === undefined || leaf === undefined || !equal(leaf, live))
      throw new LaunchFailure(
        'evidence-refused',
        'the evidence is about another certificate than the live one',
      );
    const reason = whyNotEnclave(bundle.value.certificateChain, source);
    if (reason !== undefined)
      throw new LaunchFailure('evidence-refused', `the enclave’s certificate: ${reason}`);
    return bundle.value;
  } finally {
    socket.destroy();
  }
}

function whyNotEnclave(
  chain: readonly Uint8Array[],
  { roots, now, serverName, podUid }: EvidenceSource,
): string | undefined {
  const leaf = verifyChain(nodeCrypto, chain, { roots, role: 'enclaves', now, dnsName: serverName });
  if (!leaf.ok) return leaf.message;
  return leaf.value.extensions.enclaveBinding?.podUid === podUid ? undefined : 'it is bound to another pod';
}

/** One bounded answer. 5xx and 429 may pass; what else the sidecar says is final. */
async function get(socket: TLSSocket, path: string, host: string, signal: AbortSignal): Promise<Uint8Array> {
  const asked = { host, path, accept: MEDIA_TYPES.protobuf, maxBytes: MAX_BUNDLE_BYTES, signal };
  const { status, body } = await getOver(socket, asked).catch((error: unknown) => {
    if (!(error instanceof AnswerTooLarge)) throw error;
    throw new LaunchFailure('evidence-refused', 'the sidecar’s answer is too large');
  });
  if (status === 200) return body;
  const { detail } = readProblem(body);
  const message = `the sidecar answered ${status}${detail === '' ? '' : `: ${detail}`}`;
  throw status >= 500 || status === 429 ? new Error(message) : new LaunchFailure('evidence-refused', message);
}
