import { setTimeout as sleep } from 'node:timers/promises';
import { ContainerConfigError } from './container-environment.ts';
import type { ContainerProcess, ProcessExit } from './container-process.ts';
import { StartError } from './container-process.ts';
import { ImagePullError } from './image-catalogue.ts';
import type { Container, ContainerStatus, Probe, Terminated } from './pod.ts';
import type { ProbeResult } from './probe.ts';
import { runProbeLoop } from './probe-loop.ts';
import { RestartBackoff, type Role, restarts } from './restart-policy.ts';

/** A started container. */
export interface Launched {
  readonly process: ContainerProcess;
  readonly containerID: string;
  readonly imageID: string;
  check(probe: Probe): Promise<ProbeResult>;
}

export interface RunnerOptions {
  readonly container: Container;
  readonly role: Role;
  readonly podRestartPolicy: string | undefined;
  readonly gracePeriodSeconds: number;
  /** Runs of this container before the node knew it. */
  readonly restartCount: number;
  /** @throws ImagePullError, ContainerConfigError, StartError */
  launch(attempt: number): Promise<Launched>;
  onChange(): void;
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
}

/** Retry of what is not there yet: an image, a ConfigMap. */
const RETRY_MS = 500;

/** Keeps one container running as its restart policy says, probes it, and says how it is. */
export class ContainerRunner {
  readonly #options: RunnerOptions;
  readonly #backoff = new RestartBackoff();
  readonly #stopping = new AbortController();
  readonly #startedOnce = Promise.withResolvers<void>();
  #probes = new AbortController();
  #process: ContainerProcess | undefined;
  #launched: Launched | undefined;
  #running: Promise<number> | undefined;
  #status: ContainerStatus;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#status = {
      name: options.container.name,
      image: options.container.image ?? '',
      imageID: '',
      ready: false,
      started: false,
      restartCount: options.restartCount,
      state: { waiting: { reason: options.role === 'app' ? 'PodInitializing' : 'ContainerCreating' } },
      lastState: {},
    };
  }

  get name(): string {
    return this.#options.container.name;
  }

  get role(): Role {
    return this.#options.role;
  }

  get status(): ContainerStatus {
    return this.#status;
  }

  /** Resolves when the container has started for the first time: its startup probe has passed, if it has one. */
  get startedOnce(): Promise<void> {
    return this.#startedOnce.promise;
  }

  /** Runs the container until it is not to be started again; its last exit code. */
  run(): Promise<number> {
    this.#running ??= this.#supervise();
    return this.#running;
  }

  /** Shows why the container does not run yet. */
  waitFor(reason: string, message?: string): void {
    this.#set({ state: { waiting: { reason, ...(message && { message }) } } });
  }

  /** SIGTERM, and SIGKILL at the deadline (of `performance.now`); the container is not started again. */
  async stop(deadline: number): Promise<void> {
    this.#stopping.abort();
    await this.#preStop(deadline);
    if (this.#process !== undefined) await this.#end(this.#process, deadline, 'pod deleted');
    await this.#running;
  }

  /** SIGKILL, at once. */
  kill(): void {
    this.#stopping.abort();
    this.#process?.kill();
  }

  async #supervise(): Promise<number> {
    const { role, podRestartPolicy } = this.#options;
    for (let attempt = this.#options.restartCount; ; attempt += 1) {
      const begun = performance.now();
      const last = await this.#runOnce(attempt);
      if (last === undefined) return 0;
      this.#set({ ready: false, started: false, state: { terminated: last } });
      if (this.#stopping.signal.aborted || !restarts(role, podRestartPolicy, last.exitCode))
        return last.exitCode;
      const wait = this.#backoff.after(performance.now() - begun);
      if (wait > 0) {
        const message = `back-off ${wait / 1000}s restarting failed container=${this.name}`;
        this.#options.event('Warning', 'BackOff', message);
        this.#set({
          state: { waiting: { reason: 'CrashLoopBackOff', message } },
          lastState: { terminated: last },
        });
        if (!(await this.#pause(wait))) {
          this.#set({ state: { terminated: last } });
          return last.exitCode;
        }
      }
      this.#set({ restartCount: attempt + 1, lastState: { terminated: last } });
    }
  }

  /** One run from start to end; undefined when stopped before it could start. */
  async #runOnce(attempt: number): Promise<Terminated | undefined> {
    const launched = await this.#launch(attempt);
    if (launched === undefined || 'exitCode' in launched) return launched;
    const startedAt = now();
    const { process, containerID, imageID } = launched;
    this.#process = process;
    this.#launched = launched;
    this.#probes = new AbortController();
    this.#set({ containerID, imageID, state: { running: { startedAt } } });
    this.#options.event('Normal', 'Started', 'Container started');
    this.#startProbes(launched, this.#probes);
    if (this.#stopping.signal.aborted) process.kill();
    const exit = await process.exited;
    this.#process = undefined;
    this.#probes.abort();
    return { ...describe(exit), startedAt, finishedAt: now(), containerID };
  }

  async #launch(attempt: number): Promise<Launched | Terminated | undefined> {
    while (!this.#stopping.signal.aborted)
      try {
        return await this.#options.launch(attempt);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (error instanceof StartError) {
          this.#options.event('Warning', 'Failed', `Error: ${message}`);
          return { exitCode: 128, reason: 'StartError', message, finishedAt: now() };
        }
        const waiting =
          error instanceof ImagePullError
            ? error.reason
            : error instanceof ContainerConfigError
              ? 'CreateContainerConfigError'
              : 'CreateContainerError';
        if (this.#status.state.waiting?.message !== message)
          this.#options.event('Warning', 'Failed', `Error: ${waiting}: ${message}`);
        this.waitFor(waiting, message);
        if (!(await this.#pause(RETRY_MS))) return undefined;
      }
    return undefined;
  }

  #startProbes(launched: Launched, probes: AbortController): void {
    const { startupProbe } = this.#options.container;
    if (startupProbe === undefined) {
      this.#started(launched, probes);
      return;
    }
    const startup = new AbortController();
    void runProbeLoop({
      probe: startupProbe,
      check: () => launched.check(startupProbe),
      signal: AbortSignal.any([probes.signal, startup.signal]),
      onOutcome: (ok, message) => {
        startup.abort();
        if (ok) this.#started(launched, probes);
        else this.#unhealthy(launched, 'startup', message);
      },
    });
  }

  #started(launched: Launched, probes: AbortController): void {
    const { readinessProbe, livenessProbe } = this.#options.container;
    this.#set({ started: true, ready: readinessProbe === undefined && this.role !== 'init' });
    this.#startedOnce.resolve();
    if (readinessProbe !== undefined)
      void runProbeLoop({
        probe: readinessProbe,
        check: () => launched.check(readinessProbe),
        signal: probes.signal,
        onOutcome: (ok, message) => {
          if (!ok && this.#status.ready)
            this.#options.event('Warning', 'Unhealthy', `Readiness probe failed: ${message}`);
          if (this.#status.ready !== ok) this.#set({ ready: ok });
        },
      });
    if (livenessProbe !== undefined)
      void runProbeLoop({
        probe: livenessProbe,
        check: () => launched.check(livenessProbe),
        signal: probes.signal,
        onOutcome: (ok, message) => {
          if (!ok) this.#unhealthy(launched, 'liveness', message);
        },
      });
  }

  #unhealthy(launched: Launched, probe: string, message: string): void {
    this.#probes.abort();
    this.#options.event('Warning', 'Unhealthy', `${probe} probe failed: ${message}`);
    const deadline = performance.now() + this.#options.gracePeriodSeconds * 1000;
    void this.#end(launched.process, deadline, `failed ${probe} probe`);
  }

  /** The hook has what is left of the grace period; whether it fails makes no difference to what follows. */
  async #preStop(deadline: number): Promise<void> {
    const hook = this.#options.container.lifecycle?.preStop;
    const left = deadline - performance.now();
    if (hook === undefined || this.#process === undefined || left <= 0) return;
    const ms = Math.min(left, (hook.sleep?.seconds ?? 0) * 1000);
    if (hook.sleep !== undefined) return sleep(ms);
    const result = await this.#launched?.check({ ...hook, timeoutSeconds: left / 1000 });
    if (result?.ok === false)
      this.#options.event('Warning', 'FailedPreStopHook', `PreStopHook failed: ${result.message}`);
  }

  async #end(process: ContainerProcess, deadline: number, why: string): Promise<void> {
    this.#probes.abort();
    this.#options.event('Normal', 'Killing', `Stopping container: ${why}`);
    if (deadline > performance.now()) process.signal('SIGTERM');
    const timer = setTimeout(() => process.kill(), Math.max(0, deadline - performance.now()));
    await process.exited;
    clearTimeout(timer);
  }

  /** False when the wait was cut short by `stop`. */
  async #pause(ms: number): Promise<boolean> {
    try {
      await sleep(ms, undefined, { signal: this.#stopping.signal });
      return true;
    } catch {
      return false;
    }
  }

  #set(change: Partial<ContainerStatus>): void {
    this.#status = { ...this.#status, ...change };
    this.#options.onChange();
  }
}

function describe(exit: ProcessExit): Pick<Terminated, 'exitCode' | 'signal' | 'reason'> {
  return { ...exit, reason: exit.exitCode === 0 ? 'Completed' : 'Error' };
}

function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}
