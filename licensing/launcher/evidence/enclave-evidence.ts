import type { Pod } from '../../../platform/kube/resources.ts';
import { unixSeconds } from '../../../platform/run/clock.ts';
import type { Bundle } from '../../../proto/gen/enclave_licensing/evidence/v1/bundle.ts';
import { LaunchFailure } from '../launch-failure.ts';
import type { LauncherWorld } from '../launcher-world.ts';
import { fetchEvidence } from './fetch-evidence.ts';

/** Fresh evidence of this pod's enclave. @throws as fetchEvidence; LaunchFailure when the pod has no address */
export async function enclaveEvidence(
  world: LauncherWorld,
  enclave: string,
  pod: Pod,
  nonce: Uint8Array,
  signal: AbortSignal,
): Promise<Bundle> {
  const { clock, metrics } = world;
  const podIp = pod.status?.podIP;
  const podUid = pod.metadata?.uid;
  if (podIp === undefined || podUid === undefined)
    throw new LaunchFailure('evidence-refused', `the pod of enclave ${enclave} has no address`);
  const started = clock.now();
  let outcome: 'ok' | 'failed' = 'failed';
  try {
    const source = {
      podIp,
      podUid,
      serverName: `${enclave}.${world.enclaveDomain}`,
      localAddress: world.localAddress,
      roots: world.roots(),
      now: unixSeconds(clock),
      port: world.sidecarPort,
    };
    const bundle = await fetchEvidence(source, nonce, signal);
    outcome = 'ok';
    return world.publicEndpoint === undefined ? bundle : { ...bundle, endpoint: world.publicEndpoint };
  } finally {
    metrics.evidence(outcome, clock.now() - started);
  }
}
