import { type Result, success } from '../../../formats/bytes/result.ts';
import { explain } from '../../../platform/run/explain.ts';
import { sleep } from '../../../platform/run/sleep.ts';
import { type EnclaveRecord, type NewEnclave, UNFINISHED_STATES } from '../../store/enclave-record.ts';
import type { StoreCode } from '../../store/store.ts';
import { type LaunchEvent, LaunchRun } from './launch-run.ts';
import type { LaunchWorld } from './launch-world.ts';
import { findDiscrepancies } from './reconcile.ts';

export interface JoinedLaunch {
  readonly record: EnclaveRecord;
  /** Ends after `settled`, or when the signal aborts; the launch goes on without listeners. */
  readonly events: AsyncIterableIterator<LaunchEvent>;
}

const FORGET_AFTER_MS = 30 * 24 * 3_600_000;

/** All launches of this front: one run for each enclave that is not at rest. */
export class Launches {
  readonly #world: LaunchWorld;
  readonly #runs = new Map<string, LaunchRun>();

  constructor(world: LaunchWorld) {
    this.#world = world;
    world.lease.onLapse(() => {
      for (const run of this.#runs.values()) run.interrupt();
    });
  }

  /** Takes a seat and starts, or joins the launch with the same user and id. */
  async launch(enclave: NewEnclave, signal: AbortSignal): Promise<Result<JoinedLaunch, StoreCode>> {
    const { store, lease, clock, log } = this.#world;
    const taken = await store.takeSeat(enclave, lease.name, clock.now());
    if (!taken.ok) return taken;
    const { id, state } = taken.value.record;
    if (taken.value.created) {
      log.info({ enclave: id, profile: enclave.profile }, 'seat taken');
      await this.#countSeats();
    }
    await this.attend(id);
    const events = this.#ensure(id).feed.listen(signal);
    const record = (await store.findEnclave(id)) ?? { ...taken.value.record, state };
    return success({ record, events });
  }

  /** Its user asked for it. */
  async attend(id: string): Promise<void> {
    const { store, clock } = this.#world;
    await store.updateEnclave(id, ['launching', 'ready'], { attendedAt: clock.now() }, clock.now());
  }

  /** Its user was handed the result. */
  async delivered(id: string): Promise<void> {
    await this.#world.store.updateEnclave(id, ['ready'], { delivered: true }, this.#world.clock.now());
  }

  /** Writes that it is to end, and waits for the end so long; the record as it stands then. */
  async stop(record: EnclaveRecord, waitMs: number, signal: AbortSignal): Promise<EnclaveRecord> {
    const { store, clock } = this.#world;
    const wish = { state: 'stopping', reason: '', reasonCode: '' } as const;
    const stopping = await store.updateEnclave(record.id, ['launching', 'ready'], wish, clock.now());
    const run = this.#runs.get(record.id);
    if (stopping !== undefined) run?.interrupt();
    const waited = new AbortController();
    const either = AbortSignal.any([signal, waited.signal]);
    const timeOver = sleep(waitMs, either).then(() => waited.abort());
    let now = (await store.findEnclave(record.id)) ?? record;
    // A run that was about to end when the wish was written ends without it; the next one sees it.
    while (UNFINISHED_STATES.includes(now.state) && !either.aborted) {
      await Promise.race([this.#ensure(record.id).done, timeOver]);
      now = (await store.findEnclave(record.id)) ?? record;
    }
    waited.abort();
    return now;
  }

  /**
   * Takes up what this front has to drive, at start and when another has died, and lets go of steps that another front has made void: an
   * enclave stopped there, or taken over.
   */
  async look(): Promise<void> {
    const { store, lease } = this.#world;
    const acting = [...this.#runs].map(([id, run]) => ({ id, run, step: run.acting }));
    const ours = new Map((await store.claimable(lease.name)).map((record) => [record.id, record]));
    for (const { id, run, step } of acting) run.heard(step, ours.get(id));
    for (const id of ours.keys()) this.#ensure(id);
  }

  /** Ends what nobody came for, and forgets what ended long ago. */
  async sweep(): Promise<void> {
    const { store, lease, clock } = this.#world;
    if (lease.eldest) {
      for (const record of await store.enclavesIn(['ready'])) if (!record.delivered) this.#ensure(record.id);
      await store.forgetFinished(clock.now() - FORGET_AFTER_MS);
    }
    await this.#countSeats();
  }

  /** Compares seats with pods, at one front for all: pods without a seat are removed, seats without a pod are freed. @throws when the launcher cannot be asked */
  async reconcile(): Promise<void> {
    const { store, lease, launcher, log, metrics, clock, signal } = this.#world;
    if (!lease.eldest) return;
    const before = await store.enclavesIn(['ready']);
    const { pods } = await launcher.list({}, { signal, timeoutMs: 30_000 });
    const after = await store.enclavesIn([...UNFINISHED_STATES, 'ready']);
    const { orphans, lost } = findDiscrepancies(before, pods, after);
    for (const { id, reason } of lost) {
      const change = { state: 'failing', reasonCode: 'pod-gone', reason } as const;
      await store.updateEnclave(id, ['ready'], change, clock.now());
      log.warn({ enclave: id, reason }, 'a ready enclave was lost');
      this.#ensure(id);
    }
    for (const enclave of orphans) {
      log.warn({ enclave }, 'a pod without a seat is removed');
      try {
        await launcher.stop({ enclave }, { signal, timeoutMs: 60_000 });
        metrics.orphanRemoved();
      } catch (error) {
        log.warn({ enclave, error: explain(error) }, 'it could not be removed yet');
      }
    }
  }

  /** Resolves when every run has ended: after the world's signal. */
  async ended(): Promise<void> {
    await Promise.all([...this.#runs.values()].map((run) => run.done));
  }

  #ensure(id: string): LaunchRun {
    const there = this.#runs.get(id);
    if (there !== undefined) return there;
    const count = (): void => this.#world.metrics.underWay(this.#runs.size);
    const run = new LaunchRun(id, this.#world, () => {
      this.#runs.delete(id);
      count();
    });
    this.#runs.set(id, run);
    count();
    void run.done.then(() => this.#countSeats());
    return run;
  }

  /** For the metric only: trouble of the store shows where it matters. */
  async #countSeats(): Promise<void> {
    const { store, metrics, signal } = this.#world;
    if (signal.aborted) return;
    await store.seatsTaken().then(metrics.seats, () => undefined);
  }
}
