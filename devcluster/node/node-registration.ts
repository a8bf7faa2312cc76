import { setTimeout as sleep } from 'node:timers/promises';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { NODES } from '../../platform/kube/resources.ts';
import { nodeObject } from './node-object.ts';

const HEARTBEAT_MS = 60_000;
const RETRY_MS = 500;

/** Registers the Node object and keeps its Ready condition young. */
export class NodeRegistration {
  readonly #kube: Kube;
  readonly #name: string;
  readonly #address: string;
  readonly #since = now();
  #timer: NodeJS.Timeout | undefined;

  constructor(kube: Kube, name: string, address: string) {
    this.#kube = kube;
    this.#name = name;
    this.#address = address;
  }

  /** Tries until the API server has it; an API server that refuses is an error. */
  async register(): Promise<void> {
    for (;;)
      try {
        await this.#kube
          .create(NODES, nodeObject(this.#name, this.#address, true, this.#since, now()))
          .catch((error: unknown) => {
            if (!isKubeError(error, 'AlreadyExists')) throw error;
          });
        await this.#report(true);
        break;
      } catch (error) {
        if (isKubeError(error) && error.status < 500) throw error;
        await sleep(RETRY_MS);
      }
    this.#timer = setInterval(() => void this.#report(true).catch(() => undefined), HEARTBEAT_MS);
    this.#timer.unref();
  }

  /** Says that the node is not ready any more, if anybody listens. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.race([
      this.#report(false).catch(() => undefined),
      sleep(RETRY_MS, undefined, { ref: false }),
    ]);
  }

  async #report(ready: boolean): Promise<void> {
    const { status } = nodeObject(this.#name, this.#address, ready, ready ? this.#since : now(), now());
    await this.#kube.patch(NODES, { name: this.#name }, { status }, 'merge', 'status');
  }
}

function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}
