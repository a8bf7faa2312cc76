import { canConnect } from '../../platform/net/can-connect.ts';
import { explain } from '../../platform/run/explain.ts';
import { sleep } from '../../platform/run/sleep.ts';
import type { EnclavePod } from './enclave-pod.ts';

export interface UpstreamProbeOptions {
  readonly pods: () => readonly EnclavePod[];
  /** The address that is dialled from: what this host may not reach, another pod may not either. */
  readonly localAddress: string;
  /** Between two dials of an app that does not answer, in milliseconds. */
  readonly everyMs?: number;
  /** The set of reachable apps has changed. */
  onChange(): void;
  /** This machine cannot dial. */
  onTrouble(reason: string): void;
}

interface State {
  readonly target: string;
  due: number;
  strikes: number;
  busy: boolean;
}

const EVERY_MS = 300_000;
/** One that answers is asked again soon, so that what was mended is seen. */
const AGAIN_MS = 30_000;
const STRIKE_MS = 1_000;
/** A policy may take a moment after the pod has an address: reachable is what answers this often in a row. */
const STRIKES = 3;
const AT_ONCE = 64;
const TICK_MS = 500;

/**
 * Dials the TCP upstreams of self-deployed enclaves past their sidecars, as anything in the cluster could; nothing should answer. (A launched enclave's is dialled by
 * the launcher before anybody gets it.) A dial that fails says that this host cannot reach the app, no more.
 */
export class UpstreamProbe {
  readonly #options: UpstreamProbeOptions;
  readonly #states = new Map<string, State>();
  readonly #reachable = new Map<string, number>();
  #busy = 0;

  constructor(options: UpstreamProbeOptions) {
    this.#options = options;
  }

  /** Ports of the apps that answer, by pod UID. */
  get reachable(): ReadonlyMap<string, number> {
    return this.#reachable;
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#turn(signal);
      await sleep(TICK_MS, signal);
    }
  }

  #turn(signal: AbortSignal): void {
    const now = performance.now();
    const there = new Set<string>();
    for (const pod of this.#options.pods()) {
      const uid = pod.metadata?.uid ?? '';
      const { ip, upstreamPort } = pod;
      if (pod.launched || pod.ended || ip === undefined || upstreamPort === undefined) continue;
      there.add(uid);
      const target = `${ip} ${upstreamPort}`;
      let state = this.#states.get(uid);
      if (state?.target !== target) {
        state = { target, due: now, strikes: 0, busy: false };
        this.#states.set(uid, state);
      }
      if (state.busy || state.due > now || this.#busy >= AT_ONCE) continue;
      void this.#dial(uid, state, ip, upstreamPort, signal);
    }
    for (const uid of [...this.#states.keys()])
      if (!there.has(uid)) {
        this.#states.delete(uid);
        this.#note(uid, undefined);
      }
  }

  async #dial(uid: string, state: State, ip: string, port: number, signal: AbortSignal): Promise<void> {
    const { localAddress, everyMs = EVERY_MS, onTrouble } = this.#options;
    state.busy = true;
    this.#busy += 1;
    try {
      const answers = await canConnect(ip, port, localAddress, signal);
      state.strikes = answers ? Math.min(state.strikes + 1, STRIKES) : 0;
      const wait = !answers ? everyMs : state.strikes < STRIKES ? STRIKE_MS : Math.min(AGAIN_MS, everyMs);
      state.due = performance.now() + wait;
      if (this.#states.get(uid) !== state) return;
      if (state.strikes === STRIKES) this.#note(uid, port);
      else if (!answers) this.#note(uid, undefined);
    } catch (error) {
      state.due = performance.now() + AGAIN_MS;
      if (!signal.aborted) onTrouble(explain(error));
    } finally {
      state.busy = false;
      this.#busy -= 1;
    }
  }

  #note(uid: string, port: number | undefined): void {
    if (this.#reachable.get(uid) === port) return;
    if (port === undefined) this.#reachable.delete(uid);
    else this.#reachable.set(uid, port);
    this.#options.onChange();
  }
}
