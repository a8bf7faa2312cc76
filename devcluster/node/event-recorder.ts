import type { Kube } from '../../platform/kube/kube.ts';
import { EVENTS } from '../../platform/kube/resources.ts';
import type { Pod } from './pod.ts';

type EventType = 'Normal' | 'Warning';

export interface EventSource {
  readonly component: string;
  /** The node's name, for a kubelet. */
  readonly host?: string;
}

/** Writes events about pods. An event that cannot be written is lost, as with a kubelet. */
export class EventRecorder {
  readonly #kube: Kube;
  readonly #source: EventSource;
  readonly #counts = new Map<string, { name: string; count: number }>();
  #sequence = 0;

  constructor(kube: Kube, source: EventSource) {
    this.#kube = kube;
    this.#source = source;
  }

  /** Says it once, and counts when it is said again. An event that cannot be written is lost, as a kubelet's is. */
  record(pod: Pod, type: EventType, reason: string, message: string, container?: string): void {
    const namespace = pod.metadata.namespace ?? '';
    const key = [pod.metadata.uid, container, reason, message].join('\n');
    const now = `${new Date().toISOString().slice(0, 19)}Z`;
    const known = this.#counts.get(key);
    if (known !== undefined) {
      known.count += 1;
      void this.#kube
        .patch(EVENTS, { namespace, name: known.name }, { count: known.count, lastTimestamp: now })
        .catch(() => undefined);
      return;
    }
    this.#sequence += 1;
    const name = `${pod.metadata.name}.${Date.now().toString(16)}${this.#sequence.toString(16)}`;
    this.#counts.set(key, { name, count: 1 });
    void this.#kube
      .create(EVENTS, {
        metadata: { name, namespace },
        involvedObject: {
          apiVersion: 'v1',
          kind: 'Pod',
          name: pod.metadata.name ?? '',
          namespace,
          uid: pod.metadata.uid ?? '',
          ...(container && { fieldPath: `spec.containers{${container}}` }),
        },
        type,
        reason,
        message,
        source: { ...this.#source },
        reportingComponent: this.#source.component,
        reportingInstance: this.#source.host ?? this.#source.component,
        firstTimestamp: now,
        lastTimestamp: now,
        count: 1,
      })
      .catch(() => undefined);
  }

  /** Forgets a pod that is gone. */
  forget(uid: string): void {
    for (const key of this.#counts.keys()) if (key.startsWith(`${uid}\n`)) this.#counts.delete(key);
  }
}
