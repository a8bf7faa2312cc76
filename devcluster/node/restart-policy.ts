import type { Container, PodSpec } from './pod.ts';

/** What a container is to its pod: an init container, a native sidecar (KEP-753) or one of the app's. */
export type Role = 'init' | 'sidecar' | 'app';

export function roleOf(spec: PodSpec, container: Container): Role {
  if (spec.containers.includes(container)) return 'app';
  return container.restartPolicy === 'Always' ? 'sidecar' : 'init';
}

/** Is a container started again after this exit code? */
export function restarts(role: Role, podPolicy: string | undefined, exitCode: number): boolean {
  switch (role) {
    case 'sidecar':
      return true;
    case 'init':
      return exitCode !== 0 && podPolicy !== 'Never';
    case 'app':
      return podPolicy === 'OnFailure' ? exitCode !== 0 : podPolicy !== 'Never';
  }
}

const FIRST_MS = 1_000;
const MAX_MS = 4_000;
const FORGET_AFTER_MS = 60_000;

/**
 * The wait before a restart. The first restart is at once, as with a kubelet; then 1 s (a kubelet: 10 s), doubling to
 * 4 s (5 min), forgotten when the container has run for a minute (10 min).
 */
export class RestartBackoff {
  #next = 0;

  /** Milliseconds to wait after a run that lasted `ranMs`. */
  after(ranMs: number): number {
    if (ranMs >= FORGET_AFTER_MS) this.#next = 0;
    const wait = this.#next;
    this.#next = wait === 0 ? FIRST_MS : Math.min(MAX_MS, wait * 2);
    return wait;
  }
}
