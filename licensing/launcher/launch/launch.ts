import { toHex } from '../../../formats/bytes/bytes.ts';
import { parseCertificateRequest } from '../../../formats/x509/certificate-request.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import type { Pod } from '../../../platform/kube/resources.ts';
import type {
  LaunchRequest,
  LaunchResponse,
  LaunchResult,
} from '../../../proto/gen/enclave_licensing/launcher/v1/launcher.ts';
import { Phase } from '../../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { issueUserCertificate } from '../certificates/user-certificate.ts';
import { enclaveEvidence } from '../evidence/enclave-evidence.ts';
import { LaunchFailure } from '../launch-failure.ts';
import type { LauncherWorld } from '../launcher-world.ts';
import { ensurePod } from './ensure-pod.ts';
import { checkIsolation } from './isolation.ts';
import { whyNotThis } from './judge-pod.ts';
import { persist } from './persist.ts';
import { type FoundProfile, readProfile } from './read-profile.ts';
import { waitForReady } from './wait-for-ready.ts';

/** The sidecar is ready by now, so an evidence endpoint that stays silent is broken. */
const EVIDENCE_PATIENCE_MS = 30_000;

export interface LaunchSignals {
  /** The launch's time is over: it ends with a reason. */
  readonly timeout: AbortSignal;
  /** The caller is gone or another call took over: it just ends. */
  readonly ended: AbortSignal;
}

/**
 * Brings one enclave to ready and hands out its evidence and its user's certificate, step by step from whatever is there: it keeps no state but the cluster's, so a
 * call that was cut off is simply made again.
 * @throws LaunchFailure; or the reason of a signal
 */
export async function* launch(
  world: LauncherWorld,
  request: LaunchRequest,
  signals: LaunchSignals,
  onTrouble: (reason: string) => void,
): AsyncGenerator<LaunchResponse> {
  const { kube } = world;
  const { enclave } = request;
  const signal = AbortSignal.any([signals.timeout, signals.ended]);
  const progress = (phase: Phase, message: string): LaunchResponse => ({
    event: { $case: 'progress', value: { enclave, phase, message, at: new Date(world.clock.now()) } },
  });
  const found = await persist(
    () => readProfile(kube, world.namespaces, request.profile, signal),
    signal,
    onTrouble,
  );
  const wanted = { ...found, enclave, ownerKeySha256: ownerKeyOf(request) };
  const created = await ensurePod(kube, wanted, world, signal, onTrouble);
  const following = waitForReady(world, created, signals.timeout, signals.ended);
  let step = await following.next();
  while (!step.done) {
    yield progress(step.value.phase, step.value.message);
    step = await following.next();
  }
  const pod = step.value;
  // Again: what has become of it since is what would be handed out.
  const changed = whyNotThis(pod, wanted, world);
  if (changed !== undefined) throw changed;
  yield progress(Phase.PHASE_ISOLATED, await isolation(world, found, pod, signal));
  yield progress(Phase.PHASE_READY, 'the pod is ready; fetching evidence');
  const value = await result(world, request, found, pod, signal, onTrouble);
  yield { event: { $case: 'result', value } };
}

/** front has checked the request's signature; the certificate service checks it again. */
function ownerKeyOf({ certificateRequest }: LaunchRequest): string {
  const parsed = parseCertificateRequest(certificateRequest);
  if (!parsed.ok) throw new LaunchFailure('user-certificate-denied', parsed.message);
  return toHex(nodeCrypto.hash('sha256', parsed.value.spki));
}

async function isolation(
  world: LauncherWorld,
  { profile }: FoundProfile,
  pod: Pod,
  signal: AbortSignal,
): Promise<string> {
  if (!world.requireIsolation) return 'not probed: this installation does not require isolation';
  return checkIsolation(profile.upstream, pod.status?.podIP ?? '', world.localAddress, signal);
}

async function result(
  world: LauncherWorld,
  request: LaunchRequest,
  found: FoundProfile,
  pod: Pod,
  signal: AbortSignal,
  onTrouble: (reason: string) => void,
): Promise<LaunchResult> {
  const { enclave, user, nonce, certificateRequest } = request;
  const patience = AbortSignal.timeout(EVIDENCE_PATIENCE_MS);
  let trouble = 'it does not answer';
  const bundle = await persist(
    () => enclaveEvidence(world, enclave, pod, nonce, signal),
    AbortSignal.any([signal, patience]),
    (reason) => {
      trouble = reason;
      onTrouble(`the sidecar gives no evidence: ${reason}`);
    },
  ).catch((error: unknown) => {
    if (error instanceof LaunchFailure || signal.aborted || !patience.aborted) throw error;
    throw new LaunchFailure('evidence-refused', `the sidecar is ready but gives no evidence: ${trouble}`);
  });
  onTrouble('waiting for the user’s certificate');
  const wish = { enclave, user, certificateRequest, grant: NOTHING, grantSignature: NOTHING };
  const userCertificateChain = await persist(
    () => issueUserCertificate(world.kube, wish, world.log, signal),
    signal,
    (reason) => onTrouble(`no certificate for the user yet: ${reason}`),
  );
  const profile = { name: request.profile, specJson: found.specJson };
  return { bundle, userCertificateChain, profile, namespace: found.namespace };
}

const NOTHING = new Uint8Array(0);
