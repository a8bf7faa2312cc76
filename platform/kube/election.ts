import type { Logger } from '../log/logger.ts';
import { type Clock, systemClock } from '../run/clock.ts';
import { elapsedClock } from '../run/elapsed-clock.ts';
import { explain } from '../run/explain.ts';
import { sleep } from '../run/sleep.ts';
import type { Kube } from './kube.ts';
import { isKubeError } from './kube-error.ts';
import { LEASES, type Lease } from './resources.ts';
import { whileLeading } from './while-leading.ts';

export interface ElectionOptions {
  readonly kube: Kube;
  readonly name: string;
  readonly namespace: string;
  /** This candidate, and no other process: a pod's name alone may come again. */
  readonly identity: string;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly clock?: Clock;
  /** How long a lease holds without renewal; a third of it is the renewal's interval. */
  readonly leaseMs?: number;
  /** Each time that the lease was found to be another's. */
  onStandby?(): void;
}

/** What a leader knows of its own term. */
export interface Term {
  /** Aborts when the lease is lost or given up. */
  readonly signal: AbortSignal;
  /**
   * Whether the lease is still held, by the clocks and not by a timer: false at once in a process that was stopped, or on a machine that slept, for longer than
   * the lease lasts and goes on, before its timers have run. A wall clock that is set forward ends a term too: better none leads for a while than two.
   */
  holds(): boolean;
  /** What a leader writes by: nothing when the term does not hold. */
  readonly kube: Kube;
}

const LEASE_MS = 15_000;
/** The part of a lease's time that its holder relies on: it stops before a successor starts. */
const SURE = 0.8;
const RELEASE_MS = 2_000;

/**
 * Leads when elected: `lead` runs until its term ends; then the candidate stands again. Ends when the signal aborts,
 * and gives the lease back so that a successor need not wait.
 */
export async function elect(options: ElectionOptions, lead: (term: Term) => Promise<void>): Promise<void> {
  const { signal, log, leaseMs = LEASE_MS, clock = systemClock } = options;
  const state: Observed = { version: '', at: 0, other: false, until: 0 };
  const held = elapsedClock(clock);
  while (!signal.aborted) {
    const asked = held.now();
    const acquired = await acquire(options, clock, leaseMs, state);
    state.until = asked + leaseMs * SURE;
    if (!acquired || held.now() > state.until) {
      if (state.other) options.onStandby?.();
      await sleep(leaseMs / 5, signal);
      continue;
    }
    log.info({ lease: options.name }, 'elected');
    const over = new AbortController();
    const ended = AbortSignal.any([signal, over.signal]);
    const holds = (): boolean => !ended.aborted && held.now() < state.until;
    const led = lead({ signal: ended, holds, kube: whileLeading(options.kube, holds) })
      .catch((error: unknown) => log.error({ error }, 'leading failed'))
      .finally(() => over.abort());
    await keep(options, clock, held, state, ended);
    over.abort();
    await led;
    // What cannot be given back runs out by itself, and nobody waits for an API server that is away.
    await Promise.race([release(options, clock).catch(() => undefined), sleep(RELEASE_MS)]);
    log.info({ lease: options.name }, 'no longer elected');
    await sleep(leaseMs / 5, signal);
  }
}

/** Other candidates' clocks are not ours: a lease is over when we have not seen it change for its duration. */
interface Observed {
  version: string;
  /** Of `performance.now()`: a wall clock that is set forward must not end another's lease. */
  at: number;
  /** Whether another candidate held it when it was last read. An API server that is away says nothing about who leads. */
  other: boolean;
  /** Until when our own lease is relied on, of the elapsed clock: a machine that sleeps must not prolong it. */
  until: number;
  /** Why it could not be had when it was last tried; gone when it was had. */
  trouble?: string;
}

async function acquire(
  options: ElectionOptions,
  clock: Clock,
  leaseMs: number,
  state: Observed,
): Promise<boolean> {
  const { kube, name, namespace, identity } = options;
  try {
    const lease = await kube.get(LEASES, { name, namespace });
    const now = new Date(clock.now()).toISOString().replace('Z', '000Z');
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseMs / 1000),
      renewTime: now,
    };
    if (lease === undefined) {
      await kube.create(LEASES, {
        metadata: { name, namespace },
        spec: { ...spec, acquireTime: now },
      } as Lease);
      return true;
    }
    const version = lease.metadata?.resourceVersion ?? '';
    if (version !== state.version) Object.assign(state, { version, at: performance.now() });
    const holder = lease.spec?.holderIdentity;
    state.other = Boolean(holder) && holder !== identity;
    const duration = (lease.spec?.leaseDurationSeconds ?? 0) * 1000;
    if (state.other && performance.now() - state.at < duration) return false;
    const changed =
      holder === identity
        ? {}
        : { acquireTime: now, leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + 1 };
    const updated = await kube.replace(LEASES, {
      ...lease,
      spec: { ...lease.spec, ...spec, ...changed },
    } as Lease);
    Object.assign(state, {
      version: updated.metadata?.resourceVersion ?? '',
      at: performance.now(),
      other: false,
      trouble: '',
    });
    return true;
  } catch (error) {
    if (isKubeError(error, 'Conflict', 'AlreadyExists')) return false;
    const reason = explain(error);
    // Once for each reason: it is tried for as long as it takes.
    options.log[reason === state.trouble ? 'debug' : 'warn'](
      { lease: name },
      `the lease cannot be had: ${reason}`,
    );
    state.trouble = reason;
    return false;
  }
}

/** Renews until it fails for longer than the lease holds, somebody else has it, or the signal aborts. */
async function keep(
  options: ElectionOptions,
  clock: Clock,
  elapsed: Clock,
  state: Observed,
  signal: AbortSignal,
): Promise<void> {
  const { leaseMs = LEASE_MS } = options;
  const left = (): number => state.until - elapsed.now();
  while (left() > 0) {
    if (!(await sleep(Math.min(leaseMs / 3, left()), signal))) return;
    const sent = elapsed.now();
    // An answer that never comes must not prolong the term.
    const over = new AbortController();
    const held = await Promise.race([
      acquire(options, clock, leaseMs, state),
      sleep(Math.max(0, left()), AbortSignal.any([signal, over.signal])).then(() => undefined),
    ]);
    over.abort();
    if (held === undefined) return;
    // Counted from the question: the lease may have been written as soon as it was asked for.
    if (held) state.until = sent + leaseMs * SURE;
    else if (state.other) return;
  }
}

async function release(options: ElectionOptions, clock: Clock): Promise<void> {
  const lease = await options.kube.get(LEASES, options);
  if (lease?.spec?.holderIdentity !== options.identity) return;
  const renewTime = new Date(clock.now()).toISOString().replace('Z', '000Z');
  await options.kube.replace(LEASES, {
    ...lease,
    spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime },
  } as Lease);
}
