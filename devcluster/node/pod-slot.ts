import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import type { ContainerRuntime, PodSandbox } from './container-launch.ts';
import type { ContainerLog } from './container-log.ts';
import type { EventRecorder } from './event-recorder.ts';
import type { ImageCatalogue } from './image-catalogue.ts';
import { allocatable } from './node-object.ts';
import { NODE_PODS } from './node-pods.ts';
import type { Container, Pod, Service } from './pod.ts';
import { podSources } from './pod-sources.ts';
import { PodVolumes } from './pod-volumes.ts';
import { PodWorker } from './pod-worker.ts';
import { serviceEnvironment } from './service-environment.ts';
import { StatusWriter } from './status-writer.ts';
import type { Warden } from './warden.ts';

export interface PodSlotOptions {
  readonly kube: Kube;
  readonly node: string;
  readonly directory: string;
  readonly podIP: string;
  readonly hostIP: string;
  readonly api: { readonly host: string; readonly port: number };
  readonly catalogue: ImageCatalogue;
  readonly warden: Warden;
  readonly runtime: ContainerRuntime;
  readonly events: EventRecorder;
  services(namespace: string): readonly Service[];
  onTrouble(error: unknown): void;
  /** The pod has ended and nothing of it is left to do. */
  onEnd(): void;
}

const RETRY_MS = 500;

/** A pod's place on the node: joins the worker to the API server, from the binding to the object's removal. */
export class PodSlot {
  readonly #options: PodSlotOptions;
  readonly #worker: PodWorker;
  readonly #status: StatusWriter;
  readonly #logs = new Map<string, ContainerLog[]>();
  #ending: Promise<void> | undefined;
  #running = false;

  constructor(pod: Pod, options: PodSlotOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    this.#worker = new PodWorker({
      pod,
      sandbox: this.#sandbox(pod),
      podIP: options.podIP,
      hostIP: options.hostIP,
      onStatus: () => this.#status.request(),
      event: (type, reason, message) => options.events.record(pod, type, reason, message),
    });
    this.#status = new StatusWriter(
      options.kube,
      () => ({
        pod: this.#worker.pod,
        status: this.#worker.status(),
      }),
      options.onTrouble,
    );
  }

  get pod(): Pod {
    return this.#worker.pod;
  }

  /** Takes the object's newest version: starts the pod, or ends it when it is to be deleted. */
  update(pod: Pod): void {
    this.#worker.update(pod);
    if (pod.metadata.deletionTimestamp !== undefined) {
      const { deletionGracePeriodSeconds: grace = pod.spec.terminationGracePeriodSeconds ?? 30 } =
        pod.metadata;
      this.#ending ??= this.#end(grace);
    } else if (!this.#running) {
      this.#running = true;
      this.#status.request();
      this.#worker.start();
    }
  }

  /** Ends the pod's processes at once: the object is gone, or the node stops. */
  async kill(): Promise<void> {
    this.#status.gone = true;
    this.#worker.kill();
    this.#ending ??= this.#end(0);
    await this.#ending;
  }

  log(container: string, previous: boolean): ContainerLog | undefined {
    return this.#logs.get(container)?.at(previous ? -2 : -1);
  }

  async #end(graceSeconds: number): Promise<void> {
    await this.#worker.terminate(graceSeconds);
    await this.#status.flushed();
    const { name = '', namespace = '', uid = '' } = this.pod.metadata;
    while (!this.#status.gone)
      try {
        await this.#options.kube.delete(NODE_PODS, { name, namespace }, { gracePeriodSeconds: 0, uid });
        break;
      } catch (error) {
        if (isKubeError(error, 'NotFound', 'Conflict')) break;
        await sleep(RETRY_MS);
      }
    this.#options.onEnd();
  }

  #sandbox(pod: Pod): PodSandbox {
    const { kube, node, directory, podIP, hostIP, catalogue, warden, runtime, events } = this.#options;
    const context = { pod, node, podIP, hostIP, allocatable: allocatable() };
    const sources = podSources(kube, pod);
    return {
      directory,
      context,
      sources,
      catalogue,
      warden,
      runtime,
      volumes: new PodVolumes(join(directory, 'v'), pod.spec.volumes ?? [], context, sources),
      services: () =>
        serviceEnvironment(
          this.#options.services(pod.metadata.namespace ?? ''),
          this.#options.api,
          pod.spec.enableServiceLinks !== false,
        ),
      event: (container: Container, type, reason, message) =>
        events.record(pod, type, reason, message, container.name),
      keepLog: (container, log) => {
        const logs = [...(this.#logs.get(container) ?? []), log].slice(-2);
        this.#logs.set(container, logs);
      },
    };
  }
}
