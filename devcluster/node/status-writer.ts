import { setTimeout as sleep } from 'node:timers/promises';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { NODE_PODS } from './node-pods.ts';
import type { Pod, PodStatus } from './pod.ts';

const RETRY_MS = 500;

/** Writes a pod's newest status to the API server: one write at a time, again until it has it. */
export class StatusWriter {
  readonly #kube: Kube;
  readonly #read: () => { readonly pod: Pod; readonly status: PodStatus };
  #wanted = false;
  #writing: Promise<void> | undefined;
  #written = '';
  /** The API server no longer knows this pod. */
  gone = false;

  readonly #onTrouble: (error: unknown) => void;

  constructor(
    kube: Kube,
    read: () => { readonly pod: Pod; readonly status: PodStatus },
    onTrouble: (error: unknown) => void,
  ) {
    this.#kube = kube;
    this.#read = read;
    this.#onTrouble = onTrouble;
  }

  request(): void {
    this.#wanted = true;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      if (this.#wanted && !this.gone) this.request();
    });
  }

  /** Resolves when everything requested so far is written, or the pod is gone. */
  async flushed(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#wanted && !this.gone) {
      this.#wanted = false;
      // Changes of one turn of the event loop are one write.
      await Promise.resolve();
      const { pod, status } = this.#read();
      const text = JSON.stringify(status);
      if (text === this.#written) continue;
      const { name = '', namespace = '', uid } = pod.metadata;
      try {
        // The uid is a precondition: a pod made anew under the name keeps its own status.
        await this.#kube.patch(
          NODE_PODS,
          { name, namespace },
          { metadata: { uid }, status },
          'merge',
          'status',
        );
        this.#written = text;
      } catch (error) {
        if (isKubeError(error, 'NotFound', 'Conflict')) {
          this.gone = true;
          return;
        }
        this.#onTrouble(error);
        this.#wanted = true;
        await sleep(RETRY_MS);
      }
    }
  }
}
