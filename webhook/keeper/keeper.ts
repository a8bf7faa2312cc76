import { setImmediate } from 'node:timers/promises';
import { elect, type Term } from '../../platform/kube/election.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { createBackoff } from '../../platform/run/backoff.ts';
import type { Clock } from '../../platform/run/clock.ts';
import { explain } from '../../platform/run/explain.ts';
import type { Live } from '../../platform/run/live.ts';
import { sleep } from '../../platform/run/sleep.ts';
import type { ClusterCopy } from './cluster-copy.ts';
import { decidePolicies } from './decide-policies.ts';
import { EventReporter } from './event-reporter.ts';
import { findPods } from './find-pods.ts';
import { findPolicies } from './find-policies.ts';
import { type Finding, type FindingReason, findingKey } from './finding.ts';
import type { KeeperMetrics } from './keeper-metrics.ts';
import { knownRoots } from './known-roots.ts';
import { StatusReporter } from './status-reporter.ts';
import { UpstreamProbe } from './upstream-probe.ts';
import { writePolicy } from './write-policy.ts';

export interface KeeperOptions {
  readonly kube: Kube;
  readonly copy: ClusterCopy;
  readonly releaseNamespace: string;
  /** Of this process and no other. */
  readonly identity: string;
  /** The text of roots.json that is injected now. */
  readonly roots: Live<string>;
  /** The address that upstreams are dialled from. */
  readonly localAddress: string;
  readonly log: Logger;
  readonly metrics: KeeperMetrics;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Milliseconds; for tests. */
  readonly leaseMs?: number;
  readonly probeEveryMs?: number;
}

/** Another replica takes over within six seconds of the leader's end: a lease, and a look at it each fifth of its time. */
const LEASE_MS = 5_000;
/** Changes come in bursts: one look is enough for each. */
const BUNDLE_MS = 200;
const FAILED_MS = 1_000;
/** A look without a change: for what is due by time. */
const LOOK_MS = 15_000;
/** While the copy is not current; nothing says when it is again. */
const BLIND_MS = 500;
/** What another replica injects already is no finding: while roots or releases change, one knows of it before the other. */
const GRACE_MS = 180_000;
const GRACED: readonly FindingReason[] = ['roots-unknown', 'sidecar-differs'];
/** Of a look's work, in milliseconds. */
const MOST_AT_A_TIME_MS = 5;
/** What the API server says when the object is another by now: the watch brings it. */
const OVERTAKEN = ['Conflict', 'AlreadyExists', 'Invalid', 'NotFound'];

/**
 * The elected replica's work: keeps the network policies of labelled namespaces, and reports what is wrong with enclave pods. Every replica stands for
 * election; nothing here is on the path of a review. Ends when the signal aborts, and never throws.
 */
export async function runKeeper(options: KeeperOptions): Promise<void> {
  const { kube, releaseNamespace, identity, log, metrics, signal, leaseMs = LEASE_MS } = options;
  metrics.leads(false);
  metrics.found([]);
  await elect(
    { kube, name: 'enclave-webhook', namespace: releaseNamespace, identity, signal, log, leaseMs },
    async (term) => {
      metrics.leads(true);
      try {
        await lead(options, term);
      } finally {
        // Whoever leads now counts them.
        metrics.leads(false);
        metrics.found([]);
      }
    },
  );
}

async function lead(given: Omit<KeeperOptions, 'kube'>, term: Term): Promise<void> {
  const options = { ...given, kube: term.kube };
  const { signal } = term;
  const { kube, copy, clock, log, metrics, localAddress, identity, releaseNamespace, probeEveryMs } = options;
  const probe = new UpstreamProbe({
    pods: () => copy.pods.list(),
    localAddress,
    ...(probeEveryMs !== undefined && { everyMs: probeEveryMs }),
    onChange: () => copy.touch(),
    onTrouble: (reason) => {
      metrics.failed('probe');
      log.warn({ reason }, 'upstreams cannot be dialled from here');
    },
  });
  const probing = probe.run(signal);
  const keeper = new Keeper(options, {
    probe,
    events: new EventReporter(kube, clock),
    status: new StatusReporter({ kube, clock, namespace: releaseNamespace, identity }),
  });
  const backoff = createBackoff(500, 30_000);
  while (!signal.aborted) {
    const { changed } = copy;
    const isCurrent = copy.current();
    metrics.copyIsCurrent(isCurrent);
    const done = isCurrent ? await keeper.look(signal) : 'done';
    const over = new AbortController();
    const waiting = AbortSignal.any([signal, over.signal]);
    if (done !== 'failed') backoff.reset();
    if (done !== 'more')
      await Promise.race([
        changed,
        done === 'failed' ? backoff.wait(waiting) : sleep(isCurrent ? LOOK_MS : BLIND_MS, waiting),
      ]);
    over.abort();
    // What failed in one namespace must not hold up the others, nor be tried at each change.
    await sleep(done === 'failed' ? FAILED_MS : BUNDLE_MS, signal);
  }
  await probing;
}

interface Parts {
  readonly probe: UpstreamProbe;
  readonly events: EventReporter;
  readonly status: StatusReporter;
}

/** One term of office. */
class Keeper {
  readonly #options: KeeperOptions;
  readonly #parts: Parts;
  readonly #acceptsRoots: (text: string) => boolean;
  /** Findings, when each was first seen, and whether it has been told. */
  #seen = new Map<string, { since: number; isTold: boolean }>();

  constructor(options: KeeperOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    this.#acceptsRoots = knownRoots(options.roots);
  }

  /** Looks at everything once, and does and says what follows. `more`: look again at once; `failed`: again later. */
  async look(signal: AbortSignal): Promise<'done' | 'more' | 'failed'> {
    const { copy, log, metrics } = this.#options;
    const { events, status } = this.#parts;
    const failures = await this.#keepPolicies(signal);
    if (signal.aborted) return 'done';
    const findings = this.#settled([...(await this.#find()), ...failures].sort(byName));
    metrics.found(findings);
    let outcome: 'done' | 'more' | 'failed' = failures.length > 0 ? 'failed' : 'done';
    try {
      const { more, refused } = await events.report(findings, signal);
      for (const error of refused) {
        metrics.failed('event');
        log.warn({ reason: error.message }, 'an Event was refused');
      }
      if (more) outcome = 'more';
    } catch (error) {
      metrics.failed('event');
      log.warn({ reason: explain(error) }, 'Events cannot be written');
      outcome = 'failed';
    }
    try {
      const pods = copy.pods.list().filter((pod) => !pod.ended).length;
      await status.report({ findings, namespaces: copy.labelled().size, pods });
    } catch (error) {
      metrics.failed('status');
      log.warn({ reason: explain(error) }, 'the findings cannot be written down');
      outcome = 'failed';
    }
    return outcome;
  }

  async #find(): Promise<Finding[]> {
    const { copy } = this.#options;
    const pods = copy.pods.list();
    const labelled = copy.labelled();
    const { reachable } = this.#parts.probe;
    const findings = findPods({ pods, labelled, reachable, acceptsRoots: this.#acceptsRoots });
    const policies = copy.policies();
    let begun = performance.now();
    for (const found of findPolicies({ pods, labelled, policies, known: copy.knownPolicies })) {
      findings.push(...found);
      if (performance.now() - begun < MOST_AT_A_TIME_MS) continue;
      // Reviews are answered by the same thread.
      await setImmediate();
      begun = performance.now();
    }
    return findings;
  }

  /** Carries out what the policies need; returns what could not be. */
  async #keepPolicies(signal: AbortSignal): Promise<Finding[]> {
    const { kube, copy, log, metrics } = this.#options;
    const running = copy.pods.list().filter((pod) => !pod.ended);
    const actions = decidePolicies({
      labelled: copy.labelled(),
      open: copy.open(),
      occupied: new Set(running.map((pod) => pod.metadata?.namespace ?? '')),
      policies: copy.policies(),
      known: copy.knownPolicies,
    });
    const failures: Finding[] = [];
    for (const action of actions) {
      if (signal.aborted) break;
      const { kind, namespace, name, uid } = action;
      try {
        if (!(await writePolicy(kube, action))) continue;
        metrics.policyWritten(kind);
        log.info({ kind, namespace, name }, 'network policy written');
      } catch (error) {
        if (isKubeError(error, ...OVERTAKEN)) continue;
        metrics.failed('policy');
        log.warn({ kind, namespace, name, reason: explain(error) }, 'a network policy cannot be written');
        failures.push({
          reason: 'policy-failed',
          about: { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', namespace, name, uid },
          message: `Cannot ${kind} the policy that closes the enclaves of namespace ${namespace}: ${explain(error)}. It is tried again.`,
        });
      }
    }
    return failures;
  }

  /** Says once in the log what is new and what is over; holds back what may only be newer than this replica. */
  #settled(findings: readonly Finding[]): Finding[] {
    const { clock, log } = this.#options;
    const now = clock.now();
    const seen = new Map<string, { since: number; isTold: boolean }>();
    const settled = findings.filter((finding) => {
      const { reason, about, message } = finding;
      const key = findingKey(finding);
      const { since, isTold } = this.#seen.get(key) ?? { since: now, isTold: false };
      const isSettled = !GRACED.includes(reason) || now - since >= GRACE_MS;
      seen.set(key, { since, isTold: isSettled });
      if (isSettled && !isTold)
        log.warn({ reason, kind: about.kind, namespace: about.namespace, name: about.name }, message);
      return isSettled;
    });
    for (const [key, { isTold }] of this.#seen)
      if (isTold && !seen.has(key)) log.info({ finding: key }, 'no longer so');
    this.#seen = seen;
    return settled;
  }
}

function byName(a: Finding, b: Finding): number {
  const text = ({ about: { namespace, name }, reason }: Finding): string => `${namespace}/${name} ${reason}`;
  return text(a) < text(b) ? -1 : 1;
}
