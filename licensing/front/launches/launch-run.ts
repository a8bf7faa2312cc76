import { RpcRefusal } from '../../../platform/rpc/rpc-error.ts';
import { type Backoff, createBackoff } from '../../../platform/run/backoff.ts';
import { explain } from '../../../platform/run/explain.ts';
import { sleep } from '../../../platform/run/sleep.ts';
import type { LaunchResult } from '../../../proto/gen/enclave_licensing/launcher/v1/launcher.ts';
import { Phase } from '../../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { isLaunchCode, type LaunchCode } from '../../codes/launch-code.ts';
import { phaseName } from '../../codes/phase-name.ts';
import { type EnclaveRecord, type EnclaveState, isAtRest } from '../../store/enclave-record.ts';
import { StoreAway } from '../../store/store-away.ts';
import { Feed } from './feed.ts';
import { nextStep } from './launch-step.ts';
import type { LaunchWorld } from './launch-world.ts';

export type LaunchEvent =
  | { readonly kind: 'progress'; readonly phase: number; readonly message: string; readonly at: number }
  /** It is ready, stopped or failed; or failing for so long that nobody need wait for the rest. `result` when this run brought it to ready. */
  | { readonly kind: 'settled'; readonly record: EnclaveRecord; readonly result?: LaunchResult };

/** A failing launch is told after this time even when the launcher has not removed everything yet. */
const TELL_FAILURE_AFTER_MS = 15_000;
const REMOVE_CALL_MS = 10_000;
/** How often the record is read of an enclave that another front drives. */
const FOLLOW_MS = 250;

/** A step under way that began in this state. */
export interface Acting {
  readonly state: EnclaveState;
}

/**
 * Brings one enclave to rest: reads its record, takes the next step, writes what came of it, and again. Everything that counts is in
 * the store, so that a run which is killed at any point is taken up by another, here or at another front. While another front
 * drives the enclave this run only tells what it writes.
 */
export class LaunchRun {
  readonly feed = new Feed<LaunchEvent>();
  readonly done: Promise<void>;
  readonly #id: string;
  readonly #world: LaunchWorld;
  readonly #backoff: Backoff = createBackoff(100, 2000);
  #attempt = new AbortController();
  #trouble = '';
  #result: LaunchResult | undefined;
  #tellFailure: NodeJS.Timeout | undefined;
  #acting: Acting | undefined;
  /** The launcher was asked for a pod, and not yet to remove it. */
  #mayHaveMade = false;
  #told = '';

  /** `onEnd` is called in the same turn in which the last event is published. */
  constructor(id: string, world: LaunchWorld, onEnd: () => void) {
    this.#id = id;
    this.#world = world;
    this.done = this.#drive().then((record) => {
      clearTimeout(this.#tellFailure);
      onEnd();
      if (record !== undefined) this.feed.publish(settled(record, this.#result));
      this.feed.end();
    });
  }

  /** The record was changed by somebody else: what is under way is given up and the record read again. */
  interrupt(): void {
    this.#attempt.abort();
  }

  /** What the launcher is asked for at this moment. */
  get acting(): Acting | undefined {
    return this.#acting;
  }

  /** The record of what this front has to drive, read while that step was under way; undefined when it is not this front's any more. */
  heard(acting: Acting | undefined, record: EnclaveRecord | undefined): void {
    if (acting !== undefined && acting === this.#acting && record?.state !== acting.state) this.interrupt();
  }

  /** The record at rest; undefined when the process stops or there is no record. */
  async #drive(): Promise<EnclaveRecord | undefined> {
    const { store, signal, log } = this.#world;
    while (!signal.aborted) {
      this.#attempt = new AbortController();
      const attempt = AbortSignal.any([signal, this.#attempt.signal]);
      try {
        const record = await store.findEnclave(this.#id);
        if (record === undefined || (await this.#step(record, attempt))) return record;
        this.#backoff.reset();
      } catch (error) {
        if (attempt.aborted) continue;
        this.#trouble = explain(error);
        // Of a store that is away the lease tells.
        log[error instanceof StoreAway ? 'debug' : 'warn'](
          { enclave: this.#id, error: this.#trouble },
          'launch step failed; it will be tried again',
        );
        await this.#backoff.wait(attempt);
      }
    }
    return undefined;
  }

  /** True when there is nothing more to do. */
  async #step(record: EnclaveRecord, signal: AbortSignal): Promise<boolean> {
    const { clock, limits, startedAt } = this.#world;
    const attention = {
      attached: this.feed.listeners > 0,
      since: Math.max(record.attendedAt, startedAt),
    };
    if (record.state === 'failing') this.#tellFailureLater(record);
    const step = nextStep(record, attention, limits, clock.now());
    if (step.do === 'rest') {
      await this.#undo(record, signal);
      return true;
    }
    if (!isAtRest(record.state) && !(await this.#isOurs(record, signal))) return false;
    switch (step.do) {
      case 'fail':
        await this.#fail(record, step.code, this.#withTrouble(step.reason));
        break;
      case 'launch':
        await this.#act(record, () => this.#launch(record, step.until, signal));
        break;
      case 'remove':
        await this.#act(record, () => this.#remove(record, step.outcome, signal));
        break;
    }
    return false;
  }

  /**
   * Another front ended it while this one, late, asked for its pod: after a pause between reading the record and asking, say. No seat stands
   * for that pod.
   */
  async #undo({ state }: EnclaveRecord, signal: AbortSignal): Promise<void> {
    if (!this.#mayHaveMade || (state !== 'stopped' && state !== 'failed')) return;
    await this.#askToRemove(signal);
  }

  /** False when another front drives it, or this one has only now begun to: the record is to be read again. */
  async #isOurs(record: EnclaveRecord, signal: AbortSignal): Promise<boolean> {
    const { store, lease, log } = this.#world;
    if (!lease.held) throw new StoreAway('this front has lost touch with the store');
    if (record.driver === lease.name) return true;
    const claimed = await store.claimEnclave(this.#id, lease.name);
    if (claimed?.ours) log.info({ enclave: this.#id, state: claimed.record.state }, 'taken up');
    else if (claimed !== undefined) await this.#follow(claimed.record, signal);
    return false;
  }

  /** Tells what the front that drives it has written, and that its user still waits. */
  async #follow(record: EnclaveRecord, signal: AbortSignal): Promise<void> {
    const { store, clock, limits } = this.#world;
    const { phase, message } = record;
    const now = clock.now();
    if (this.#told !== `${phase} ${message}`)
      this.#publish(phase, message === '' ? phaseName(phase) : message);
    if (this.feed.listeners > 0 && now > record.attendedAt + limits.unattendedTimeoutMs / 3)
      await store.updateEnclave(this.#id, ['launching', 'ready'], { attendedAt: now }, now);
    await sleep(FOLLOW_MS, signal);
  }

  async #act(record: EnclaveRecord, action: () => Promise<void>): Promise<void> {
    this.#acting = { state: record.state };
    try {
      await action();
    } finally {
      this.#acting = undefined;
    }
  }

  #withTrouble(reason: string): string {
    return this.#trouble === '' ? reason : `${reason}; at last: ${this.#trouble}`;
  }

  async #launch(record: EnclaveRecord, until: number, signal: AbortSignal): Promise<void> {
    const timeoutMs = Math.max(1, until - this.#world.clock.now());
    const { id, user, profile, nonce, certificateRequest } = record;
    const request = { enclave: id, user, profile, nonce, certificateRequest, timeoutMs };
    let reached = record.phase;
    this.#mayHaveMade = true;
    try {
      // The launcher ends in time by itself, with a reason; the call's own deadline is for a launcher that hangs.
      const call = this.#world.launcher.launch(request, {
        signal,
        timeoutMs: timeoutMs + 2000,
        requestId: id,
      });
      for await (const { event } of call) {
        if (event?.$case === 'result') return await this.#ready(event.value);
        if (event?.$case === 'progress') {
          await this.#progress(record, reached, event.value.phase, event.value.message.slice(0, 1000));
          reached = Math.max(reached, event.value.phase);
        }
      }
    } catch (error) {
      if (!(error instanceof RpcRefusal) || !isLaunchCode(error.code)) {
        this.#publish(reached, `trying again: ${explain(error)}`);
        throw error;
      }
      await this.#fail(record, error.code, error.message);
      return;
    }
    throw new Error('the launcher ended its answer without a result');
  }

  async #progress(record: EnclaveRecord, reached: number, phase: number, message: string): Promise<void> {
    if (phase > reached) {
      this.#backoff.reset();
      const { store, clock, metrics } = this.#world;
      const written = await store.updateEnclave(this.#id, ['launching'], { phase, message }, clock.now());
      // Stopped meanwhile, at this front or another.
      if (written === undefined) return this.interrupt();
      metrics.phaseReached(phaseName(phase), clock.now() - record.createdAt);
    }
    if (phase >= reached) this.#publish(phase, message);
  }

  async #ready(result: LaunchResult): Promise<void> {
    const { store, clock, metrics, log } = this.#world;
    const record = await store.updateEnclave(
      this.#id,
      ['launching'],
      {
        state: 'ready',
        phase: Phase.PHASE_READY,
        namespace: result.namespace,
        endpoint: result.bundle?.endpoint ?? '',
        serverName: result.bundle?.serverName ?? '',
        profileSpec: result.profile?.specJson ?? '',
      },
      clock.now(),
    );
    if (record === undefined) return;
    this.#result = result;
    metrics.launched('ready');
    log.info({ enclave: this.#id, milliseconds: clock.now() - record.createdAt }, 'enclave ready');
  }

  async #fail(record: EnclaveRecord, code: LaunchCode, reason: string): Promise<void> {
    const { store, clock, metrics, log } = this.#world;
    const change = { state: 'failing', reasonCode: code, reason: reason.slice(0, 1000) } as const;
    const failing = await store.updateEnclave(this.#id, [record.state], change, clock.now());
    if (failing === undefined) return;
    metrics.launched(code);
    log.warn({ enclave: this.#id, code, reason, phase: phaseName(record.phase) }, 'launch failed');
    this.#publish(record.phase, `failed, and is being removed: ${reason}`);
  }

  #tellFailureLater(record: EnclaveRecord): void {
    this.#tellFailure ??= setTimeout(
      () => this.feed.publish(settled(record, undefined)),
      TELL_FAILURE_AFTER_MS,
    );
  }

  async #remove(record: EnclaveRecord, outcome: 'stopped' | 'failed', signal: AbortSignal): Promise<void> {
    const { store, clock, log } = this.#world;
    await this.#askToRemove(signal);
    const ended = await store.updateEnclave(this.#id, [record.state], { state: outcome }, clock.now());
    if (ended !== undefined) log.info({ enclave: this.#id, state: outcome }, 'enclave removed');
  }

  async #askToRemove(signal: AbortSignal): Promise<void> {
    // Asked again when it takes long: a launcher that was cut off while this call began would never answer it.
    const options = { signal, timeoutMs: REMOVE_CALL_MS, requestId: this.#id };
    await this.#world.launcher.stop({ enclave: this.#id }, options);
    this.#mayHaveMade = false;
  }

  #publish(phase: number, message: string): void {
    this.#told = `${phase} ${message}`;
    this.feed.publish({ kind: 'progress', phase, message, at: this.#world.clock.now() });
  }
}

function settled(record: EnclaveRecord, result: LaunchResult | undefined): LaunchEvent {
  return { kind: 'settled', record, ...(result !== undefined && record.state === 'ready' && { result }) };
}
