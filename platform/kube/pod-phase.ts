import type { Pod } from './resources.ts';

/** Whether a pod's containers have ended for good (Kubernetes, "Pod Lifecycle", pod phase). One that is being deleted may go on for as long as its grace period. */
export function hasEnded({ status }: Pick<Pod, 'status'>): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}
