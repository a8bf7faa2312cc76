import { createHash } from 'node:crypto';
import { binaryName } from '../../names/components.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError, type KubeError } from '../../platform/kube/kube-error.ts';
import { EVENTS, type Event } from '../../platform/kube/resources.ts';
import type { Clock } from '../../platform/run/clock.ts';
import { type Finding, findingKey } from './finding.ts';

/** An API server forgets Events after an hour. */
const AGAIN_MS = 30 * 60_000;
/** What the API server refused is tried again: a namespace that is being deleted takes no Events. */
const RETRY_MS = 60_000;
/** A cluster full of bare pods is told of them at this pace a turn, not at once. */
const PER_TURN = 50;
const MAX_MESSAGE = 1000;

/**
 * One Event for each finding, on the object that it is about: written when it is first seen, counted up every half hour while it lasts. Its name follows from object
 * and reason, so that another replica goes on with the same one.
 */
export class EventReporter {
  readonly #kube: Kube;
  readonly #clock: Clock;
  readonly #told = new Map<string, { at: number; count: number }>();

  constructor(kube: Kube, clock: Clock) {
    this.#kube = kube;
    this.#clock = clock;
  }

  /**
   * Tells what is new or due, and forgets what is over.
   * @returns whether something is left to be told, and what the API server refused, which is tried again in a minute
   * @throws when the API server cannot be reached
   */
  async report(
    findings: readonly Finding[],
    signal: AbortSignal,
  ): Promise<{ more: boolean; refused: readonly KubeError[] }> {
    const keys = new Set(findings.map(findingKey));
    for (const key of [...this.#told.keys()]) if (!keys.has(key)) this.#told.delete(key);
    const now = this.#clock.now();
    const due = findings.filter((each) => now - (this.#told.get(findingKey(each))?.at ?? 0) > AGAIN_MS);
    const refused: KubeError[] = [];
    for (const finding of due.slice(0, PER_TURN)) {
      if (signal.aborted) break;
      const key = findingKey(finding);
      const before = this.#told.get(key)?.count ?? 0;
      try {
        this.#told.set(key, { at: now, count: await this.#tell(finding, before + 1) });
      } catch (error) {
        if (!isKubeError(error)) throw error;
        refused.push(error);
        this.#told.set(key, { at: now - AGAIN_MS + RETRY_MS, count: before });
      }
    }
    return { more: due.length > PER_TURN, refused };
  }

  /** @returns how often the Event has been seen by now */
  async #tell(finding: Finding, count: number): Promise<number> {
    const { namespace } = finding.about;
    const event = this.#event(finding, count);
    const ref = { namespace, name: event.metadata?.name ?? '' };
    if (count === 1)
      try {
        await this.#kube.create(EVENTS, event);
        return count;
      } catch (error) {
        if (!isKubeError(error, 'AlreadyExists')) throw error;
      }
    try {
      const { message, lastTimestamp } = event;
      const stored = await this.#kube.patch(EVENTS, ref, {
        message,
        lastTimestamp,
        ...(count > 1 && { count }),
      });
      return stored.count ?? count;
    } catch (error) {
      if (!isKubeError(error, 'NotFound')) throw error;
      await this.#kube.create(EVENTS, { ...event, count: 1 });
      return 1;
    }
  }

  #event({ reason, about, message }: Finding, count: number): Event {
    const { apiVersion, kind, namespace, name, uid } = about;
    const now = new Date(this.#clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    return {
      metadata: { namespace, name: eventName(name, `${uid}/${reason}`) },
      involvedObject: { apiVersion, kind, namespace, name, ...(uid !== '' && { uid }) },
      type: 'Warning',
      reason: camelCase(reason),
      message: message.slice(0, MAX_MESSAGE),
      source: { component: binaryName('webhook') },
      firstTimestamp: now,
      lastTimestamp: now,
      count,
    };
  }
}

function eventName(object: string, what: string): string {
  const hash = createHash('sha256').update(what).digest('hex').slice(0, 16);
  return `${object.slice(0, 200).replace(/[^a-z0-9]+$/, '')}.${hash}`;
}

/** `sidecar-missing` -> `SidecarMissing`, as Events have it. */
function camelCase(reason: string): string {
  return reason.replace(/(?:^|-)([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}
