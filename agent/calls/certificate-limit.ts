import type { Clock } from '../../platform/run/clock.ts';
import { type AgentResult, refuseCall } from '../code.ts';

const WINDOW_MS = 600_000;
const PER_WINDOW = 20;

/** Keeps one pod from filling the cluster with certificate requests: one at a time, twenty in ten minutes. */
export class CertificateLimit {
  readonly #clock: Clock;
  readonly #busy = new Set<string>();
  readonly #times = new Map<string, number[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async one<T>(podUid: string, work: () => Promise<AgentResult<T>>): Promise<AgentResult<T>> {
    const now = this.#clock.now();
    const recent = (this.#times.get(podUid) ?? []).filter((time) => time > now - WINDOW_MS);
    const [oldest] = recent;
    if (oldest !== undefined && recent.length >= PER_WINDOW)
      return refuseCall(
        'agent-busy',
        `pod ${podUid} asked for ${PER_WINDOW} certificates within ten minutes`,
        'try again later',
        oldest + WINDOW_MS - now,
      );
    if (this.#busy.has(podUid))
      return refuseCall('agent-busy', `pod ${podUid} waits for a certificate already`, 'try again', 500);
    this.#forget(now);
    this.#times.set(podUid, [...recent, now]);
    this.#busy.add(podUid);
    try {
      return await work();
    } finally {
      this.#busy.delete(podUid);
    }
  }

  #forget(now: number): void {
    for (const [podUid, times] of this.#times)
      if ((times.at(-1) ?? 0) <= now - WINDOW_MS) this.#times.delete(podUid);
  }
}
