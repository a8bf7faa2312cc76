import { randomUUID } from 'node:crypto';
import type { HealthCheck } from '../../platform/health/health.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { type Clock, systemClock } from '../../platform/run/clock.ts';
import { elapsedClock } from '../../platform/run/elapsed-clock.ts';
import { explain } from '../../platform/run/explain.ts';
import { sleep } from '../../platform/run/sleep.ts';
import type { LivingFronts, Store } from '../store/store.ts';

/** After the death of a front its launches wait so long for another. */
const LEASE_MS = 10_000;
/** What this front relies on: the elapsed clock may be a moment late. */
const SURE_MS = LEASE_MS - 100;
const RENEW_MS = 2500;
const RETRY_MS = 500;

export interface FrontLeaseOptions {
  readonly store: Store;
  readonly log: Logger;
  /** Says whether the store can be used. */
  readonly check: HealthCheck | undefined;
  readonly clock?: Clock;
}

/**
 * This front among those of one store: it says again and again that it lives, and learns who else does. What it drives is its own as
 * long as the lease is held; a front that cannot say so must let go, for the others take over then.
 */
export class FrontLease {
  /** New with each process: what a former one drove is no longer its own. */
  readonly name: string = randomUUID();
  readonly #options: FrontLeaseOptions;
  readonly #lapseListeners = new Set<() => void>();
  /** Counts what the machine slept, too: the others' time went on. */
  readonly #elapsed: Clock;
  #living: LivingFronts = { count: 1, eldest: false };
  #heldUntil = Number.NEGATIVE_INFINITY;
  #lapse: NodeJS.Timeout | undefined;

  constructor(options: FrontLeaseOptions) {
    this.#options = options;
    this.#elapsed = elapsedClock(options.clock ?? systemClock);
  }

  get held(): boolean {
    return this.#elapsed.now() < this.#heldUntil;
  }

  /** It does what one front does for all. */
  get eldest(): boolean {
    return this.held && this.#living.eldest;
  }

  /** How many fronts share the work, and the limits. */
  get fronts(): number {
    return Math.max(1, this.#living.count);
  }

  /** Called when the lease is over without another. */
  onLapse(listener: () => void): void {
    this.#lapseListeners.add(listener);
  }

  /** @throws StoreAway */
  async renew(): Promise<void> {
    const asked = this.#elapsed.now();
    this.#living = await this.#options.store.renewFront(this.name, LEASE_MS);
    // Counted from before the question: the store counts from after it, so it is never over there before it is here.
    this.#heldUntil = asked + SURE_MS;
    clearTimeout(this.#lapse);
    this.#lapse = setTimeout(() => this.#lapsed(), this.#heldUntil - this.#elapsed.now()).unref();
  }

  /** Renews until the signal aborts. */
  async keep(signal: AbortSignal): Promise<void> {
    const { log, check } = this.#options;
    let away = false;
    for (;;) {
      try {
        await this.renew();
        if (away) log.info({}, 'the store is there again');
        away = false;
        check?.ok();
      } catch (error) {
        if (signal.aborted) return;
        check?.fail(explain(error));
        if (!away) log.warn({ error: explain(error) }, 'the store cannot be used');
        away = true;
      }
      if (!(await sleep(away ? RETRY_MS : RENEW_MS, signal))) return;
    }
  }

  /** What it drove is free for the others at once. */
  async leave(): Promise<void> {
    clearTimeout(this.#lapse);
    this.#heldUntil = Number.NEGATIVE_INFINITY;
    // Not necessary: without it the others wait until the lease is over.
    await this.#options.store.leaveFront(this.name).catch(() => undefined);
  }

  #lapsed(): void {
    this.#options.log.warn(
      { front: this.name },
      'the lease is over: what this front drove is no longer its own',
    );
    for (const listener of this.#lapseListeners) listener();
  }
}
