import type { Logger } from '../log/logger.ts';
import { type Clock, systemClock } from '../run/clock.ts';
import { sleep } from '../run/sleep.ts';
import type { Kube } from './kube.ts';
import { isKubeError } from './kube-error.ts';
import { LEASES, type Lease } from './resources.ts';

export interface ElectionOptions {
  readonly kube: Kube;
  readonly name: string;
  readonly namespace: string;
  /** This candidate: the pod's name. */
  readonly identity: string;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly clock?: Clock;
  /** How long a lease holds without renewal; a third of it is the renewal's interval. */
  readonly leaseMs?: number;
}

/**
 * Leads when elected: `lead` runs with a signal that aborts when the lease is lost or given up; then the candidate stands again. Ends when the signal aborts,
 * and gives the lease back so that a successor need not wait.
 */
export async function elect(
  options: ElectionOptions,
  lead: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { signal, log, leaseMs = 15_000, clock = systemClock } = options;
  const state: Observed = { version: '', at: 0 };
  while (!signal.aborted) {
    const held = await acquire(options, clock, leaseMs, state);
    if (!held) {
      await sleep(leaseMs / 5, signal);
      continue;
    }
    log.info({ lease: options.name }, 'elected');
    const term = new AbortController();
    const led = lead(AbortSignal.any([signal, term.signal])).finally(() => term.abort());
    await keep(options, clock, leaseMs, state, AbortSignal.any([signal, term.signal]));
    term.abort();
    await led.catch((error: unknown) => log.error({ error }, 'leading failed'));
    // What cannot be given back runs out by itself.
    await release(options, clock).catch(() => undefined);
    log.info({ lease: options.name }, 'no longer elected');
  }
}

/** Other candidates' clocks are not ours: a lease is over when we have not seen it change for its duration. */
interface Observed {
  version: string;
  at: number;
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
    if (version !== state.version) Object.assign(state, { version, at: clock.now() });
    const holder = lease.spec?.holderIdentity;
    const duration = (lease.spec?.leaseDurationSeconds ?? 0) * 1000;
    if (holder && holder !== identity && clock.now() - state.at < duration) return false;
    const changed =
      holder === identity
        ? {}
        : { acquireTime: now, leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + 1 };
    const updated = await kube.replace(LEASES, {
      ...lease,
      spec: { ...lease.spec, ...spec, ...changed },
    } as Lease);
    Object.assign(state, { version: updated.metadata?.resourceVersion ?? '', at: clock.now() });
    return true;
  } catch (error) {
    if (!isKubeError(error, 'Conflict', 'AlreadyExists')) options.log.warn({ error }, 'lease cannot be had');
    return false;
  }
}

/** Renews until it fails for longer than the lease holds, somebody else has it, or the signal aborts. */
async function keep(
  options: ElectionOptions,
  clock: Clock,
  leaseMs: number,
  state: Observed,
  signal: AbortSignal,
): Promise<void> {
  let renewed = clock.now();
  // One fifth is kept back, so that we stop before a successor starts.
  while (clock.now() - renewed < leaseMs * 0.8) {
    if (!(await sleep(leaseMs / 3, signal))) return;
    if (await acquire(options, clock, leaseMs, state)) renewed = clock.now();
    else {
      // An API server that is away says nothing about who leads: the lease's own time decides.
      const lease = await options.kube.get(LEASES, options).catch(() => undefined);
      const holder = lease?.spec?.holderIdentity;
      if (holder !== undefined && holder !== options.identity) return;
    }
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
