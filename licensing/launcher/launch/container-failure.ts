import type { Pod } from '../../../platform/kube/resources.ts';
import type { LaunchCode } from '../../codes/launch-code.ts';
import type { PodFailure } from './pod-standing.ts';

export type ContainerStatus = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number];

/** The kubelet's words for what waiting does not mend (pkg/kubelet/images, pkg/kubelet/kuberuntime of Kubernetes). */
const REASONS: ReadonlyMap<string, LaunchCode> = new Map([
  ['ErrImagePull', 'image-unavailable'],
  ['ImagePullBackOff', 'image-unavailable'],
  ['InvalidImageName', 'image-unavailable'],
  ['ErrImageNeverPull', 'image-unavailable'],
  ['ImageInspectError', 'image-unavailable'],
  ['RegistryUnavailable', 'image-unavailable'],
  ['SignatureValidationFailed', 'image-unavailable'],
  ['CreateContainerConfigError', 'container-unstartable'],
  ['CreateContainerError', 'container-unstartable'],
  ['RunContainerError', 'container-unstartable'],
]);

/** One end may be an accident; this many restarts are a habit. */
const RESTARTS = 2;

/** Why a container will not come up, when it will not. */
export function containerFailure(status: ContainerStatus): PodFailure | undefined {
  const { name, image, state, lastState, restartCount } = status;
  const waiting = state?.waiting;
  const code = REASONS.get(waiting?.reason ?? '');
  if (code !== undefined) {
    const words = [waiting?.reason, waiting?.message].filter((each) => each !== undefined && each !== '');
    const what =
      code === 'image-unavailable'
        ? `image ${image} of container ${name} cannot be pulled`
        : `container ${name} cannot be started`;
    return { code, reason: `${what}: ${words.join(': ')}` };
  }
  const ended = state?.terminated ?? lastState?.terminated;
  const isDown = state?.terminated !== undefined || waiting?.reason === 'CrashLoopBackOff';
  if (!isDown || restartCount < RESTARTS) return undefined;
  const how =
    ended === undefined
      ? ''
      : ended.signal
        ? ` (signal ${ended.signal})`
        : ` (exit code ${ended.exitCode}${ended.reason && ended.reason !== 'Error' && ended.reason !== 'Completed' ? `, ${ended.reason}` : ''})`;
  return {
    code: 'crash-loop',
    reason: `container ${name} keeps ending${how}, ${restartCount} restarts so far`,
    lastWordsOf: name,
  };
}
