import { setTimeout as sleep } from 'node:timers/promises';
import type { PodSandbox } from './container-launch.ts';
import { ContainerRunner } from './container-runner.ts';
import type { Container, Pod, PodStatus } from './pod.ts';
import { podStatus } from './pod-status.ts';
import { roleOf } from './restart-policy.ts';

export interface PodWorkerOptions {
  readonly pod: Pod;
  readonly sandbox: PodSandbox;
  readonly podIP: string;
  readonly hostIP: string;
  /** The status has changed. */
  onStatus(): void;
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
}

const DEFAULT_GRACE_SECONDS = 30;
const RETRY_MS = 500;
/** Edited ConfigMaps and aged tokens are seen this often (a kubelet: about a minute). */
const REFRESH_MS = 5_000;
/** A sidecar has at least this long to end, however long the app's containers took (as with a kubelet). */
const MIN_SIDECAR_GRACE_MS = 2_000;

/** One pod from its binding to its end. */
export class PodWorker {
  readonly #options: PodWorkerOptions;
  readonly #runners: readonly ContainerRunner[];
  readonly #startTime = now();
  readonly #stopping = new AbortController();
  #pod: Pod;
  #sandboxReady = false;
  #work: Promise<void> | undefined;
  #termination: Promise<void> | undefined;

  constructor(options: PodWorkerOptions) {
    this.#options = options;
    this.#pod = options.pod;
    const { spec } = options.pod;
    this.#runners = [...(spec.initContainers ?? []), ...spec.containers].map((each) => this.#runner(each));
  }

  start(): void {
    this.#work ??= this.#run().catch((error: unknown) => {
      // A defect of ours: the pod shows it instead of hanging.
      this.#options.event('Warning', 'FailedSync', String(error));
    });
  }

  /** Takes a newer version of the object. */
  update(pod: Pod): void {
    this.#pod = pod;
  }

  get pod(): Pod {
    return this.#pod;
  }

  status(): PodStatus {
    return podStatus(this.#pod, {
      containers: this.#runners.map(({ role, status }) => ({ role, status })),
      podIP: this.#options.podIP,
      hostIP: this.#options.hostIP,
      startTime: this.#startTime,
      now: now(),
      sandboxReady: this.#sandboxReady,
      terminating: this.#stopping.signal.aborted,
    });
  }

  /** Ends all containers within the grace period: the app's together, then the sidecars in reverse order. */
  terminate(graceSeconds: number): Promise<void> {
    this.#termination ??= this.#terminate(graceSeconds);
    return this.#termination;
  }

  /** Ends all containers now. */
  kill(): void {
    this.#stopping.abort();
    for (const runner of this.#runners) runner.kill();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    if (!(await this.#setUpVolumes())) return;
    this.#sandboxReady = true;
    this.#options.onStatus();
    void this.#keepVolumesFresh();
    for (const runner of this.#runners.filter((each) => each.role !== 'app')) {
      if (signal.aborted) return;
      const ended = runner.run();
      if (runner.role === 'sidecar') await Promise.race([runner.startedOnce, aborted(signal)]);
      else if ((await ended) !== 0) {
        await this.#stopSidecars(performance.now() + this.#graceMs());
        return;
      }
    }
    if (signal.aborted) return;
    await Promise.all(this.#runners.filter((each) => each.role === 'app').map((each) => each.run()));
    if (!signal.aborted) await this.#stopSidecars(performance.now() + this.#graceMs());
  }

  /** Tries until every volume is there; false when the pod was deleted first. */
  async #setUpVolumes(): Promise<boolean> {
    let said = '';
    while (!this.#stopping.signal.aborted)
      try {
        await this.#options.sandbox.volumes.refresh();
        return true;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (message !== said)
          this.#options.event('Warning', 'FailedMount', `MountVolume.SetUp failed: ${message}`);
        said = message;
        await sleep(RETRY_MS, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    return false;
  }

  async #keepVolumesFresh(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await sleep(REFRESH_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      // What cannot be refreshed now keeps its last content.
      await this.#options.sandbox.volumes.refresh().catch(() => undefined);
    }
  }

  async #terminate(graceSeconds: number): Promise<void> {
    this.#stopping.abort();
    const deadline = performance.now() + graceSeconds * 1000;
    await Promise.all(
      this.#runners.filter((each) => each.role !== 'sidecar').map((each) => each.stop(deadline)),
    );
    await this.#stopSidecars(
      graceSeconds === 0 ? 0 : Math.max(deadline, performance.now() + MIN_SIDECAR_GRACE_MS),
    );
    await this.#work;
    this.#sandboxReady = false;
    this.#options.onStatus();
  }

  async #stopSidecars(deadline: number): Promise<void> {
    for (const runner of this.#runners.filter((each) => each.role === 'sidecar').reverse())
      await runner.stop(deadline);
  }

  #graceMs(): number {
    return (this.#pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS) * 1000;
  }

  #runner(container: Container): ContainerRunner {
    const { pod, sandbox, onStatus } = this.#options;
    const known = [
      ...(pod.status?.initContainerStatuses ?? []),
      ...(pod.status?.containerStatuses ?? []),
    ].find((each) => each.name === container.name);
    return new ContainerRunner({
      container,
      role: roleOf(pod.spec, container),
      podRestartPolicy: pod.spec.restartPolicy,
      gracePeriodSeconds: pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS,
      // The node was restarted: what ran before is gone, and counts.
      restartCount: known?.containerID === undefined ? 0 : known.restartCount + 1,
      launch: (attempt) => sandbox.runtime(sandbox, container, attempt),
      onChange: onStatus,
      event: (type, reason, message) => sandbox.event(container, type, reason, message),
    });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}
