import { request } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { toBase64url } from '../../../formats/bytes/base64.ts';
import { equal } from '../../../formats/bytes/bytes.ts';
import { type Bundle, decodeBundle, MAX_BUNDLE_BYTES } from '../../../formats/evidence/bundle.ts';
import type { Roots } from '../../../formats/evidence/roots.ts';
import { EVIDENCE_ALPN, EVIDENCE_PATHS, MEDIA_TYPES, PORTS } from '../../../names/wire.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
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
const MAX_PROBLEM_BYTES = 4096;

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
    const body = await get(socket, `${EVIDENCE_PATHS.evidence}?nonce=${toBase64url(nonce)}`, source, within);
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

/** One bounded answer. */
function get(
  socket: TLSSocket,
  path: string,
  { serverName }: EvidenceSource,
  signal: AbortSignal,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        createConnection: () => socket,
        method: 'GET',
        path,
        signal,
        headers: { host: serverName, accept: MEDIA_TYPES.protobuf },
      },
      (response) => {
        const ok = response.statusCode === 200;
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > (ok ? MAX_BUNDLE_BYTES : MAX_PROBLEM_BYTES)) {
            response.destroy();
            reject(new LaunchFailure('evidence-refused', 'the sidecar’s answer is too large'));
          } else chunks.push(chunk);
        });
        response.on('error', reject);
        response.on('end', () => {
          const body = Buffer.concat(chunks);
          if (ok) resolve(new Uint8Array(body));
          else reject(problemOf(response.statusCode ?? 0, body));
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** RFC 9457. 5xx and 429 may pass; what else the sidecar says is final. */
function problemOf(status: number, body: Buffer): Error {
  let detail = '';
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null)
      detail = 'detail' in parsed ? String(parsed.detail) : 'title' in parsed ? String(parsed.title) : '';
  } catch {
    // The status says enough.
  }
  const message = `the sidecar answered ${status}${detail === '' ? '' : `: ${detail.slice(0, 300)}`}`;
  return status >= 500 || status === 429
    ? new Error(message)
    : new LaunchFailure('evidence-refused', message);
}
