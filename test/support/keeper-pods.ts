import type { InjectionConfig } from '../../injection/config.ts';
import type { Pod as InjectionPod } from '../../injection/pod.ts';
import { injectedPod } from '../../injection/spec-sha256.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import { enclavePodReader } from '../../webhook/keeper/enclave-pod.ts';
import { CONFIG, enclavePod, SIDECAR_IMAGE } from '../injection/support.ts';

/** What the release before injected. */
export const FORMER_IMAGE = `registry.example/enclave-sidecar@sha256:${'4b'.repeat(32)}`;
/** As the keeper keeps it. */
export const read = enclavePodReader({
  sidecarImages: [SIDECAR_IMAGE, FORMER_IMAGE],
  enclaveDomain: CONFIG.enclaveDomain,
});

/** A self-deployed enclave's pod as this release injects it. */
export function injected(pod: InjectionPod = enclavePod(), config: InjectionConfig = CONFIG): InjectionPod {
  const result = injectedPod(pod, config);
  if (!result.ok) throw new Error(result.message);
  return result.value;
}

/** As a watch brings it: stored, running, with an address. */
export function stored(pod: InjectionPod, changes: object = {}): Pod {
  const metadata = { ...pod.metadata, uid: 'u-1', resourceVersion: '7' };
  return { ...pod, metadata, status: { phase: 'Running', podIP: '10.0.0.7' }, ...changes } as object as Pod;
}
