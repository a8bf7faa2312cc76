import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { connectionCutter } from '../../platform/http/connection-cutter.ts';
import type { Kube, WatchHandle } from '../../platform/kube/kube.ts';
import { type AddressBlock, claimAddressBlock } from './address-block.ts';
import type { ContainerRuntime } from './container-launch.ts';
import type { ContainerLog } from './container-log.ts';
import { EventRecorder } from './event-recorder.ts';
import type { ImageCatalogue } from './image-catalogue.ts';
import { createKubeletServer } from './kubelet-server.ts';
import { NODE_PODS, NODE_SERVICES } from './node-pods.ts';
import { NodeRegistration } from './node-registration.ts';
import { isFinished, type Pod, type Service } from './pod.ts';
import { PodSlot } from './pod-slot.ts';
import type { Warden } from './warden.ts';

export interface NodeOptions {
  readonly name: string;
  /** The cluster's folder: pods stand in `p`. */
  readonly directory: string;
  /** With the identity system:node:<name>. */
  readonly kube: Kube;
  /** The API server as pods are told it. */
  readonly api: { readonly host: string; readonly port: number };
  readonly serving: { readonly certPem: string; readonly keyPem: string };
  readonly clientCaPem: string;
  readonly catalogue: ImageCatalogue;
  readonly warden: Warden;
  readonly runtime: ContainerRuntime;
  /** Told of what the node recovers from by itself. */
  onTrouble(error: unknown): void;
}

export interface RunningNode {
  readonly name: string;
  readonly address: string;
  /** Ends every pod of the node at once, without telling the API server that they ended. */
  close(): Promise<void>;
}

/** A node that runs its pods as processes of this machine. It isolates nothing: a development tool. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const node = new DevNode(options);
  return node.start();
}

class DevNode {
  readonly #options: NodeOptions;
  readonly #slots = new Map<string, PodSlot>();
  readonly #closing = new AbortController();
  readonly #events: EventRecorder;
  #services: WatchHandle<Service> | undefined;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.#events = new EventRecorder(options.kube, { component: 'kubelet', host: options.name });
  }

  async start(): Promise<RunningNode> {
    const { name, kube, serving, clientCaPem } = this.#options;
    const { signal } = this.#closing;
    const { onTrouble } = this.#options;
    const server = createKubeletServer({
      ...serving,
      clientCaPem,
      log: (namespace, pod, container, previous) => this.#log(namespace, pod, container, previous),
    });
    const cut = connectionCutter(server);
    const block = await claimAddressBlock(server);
    const registration = new NodeRegistration(kube, name, block.nodeIP);
    await registration.register();
    this.#services = kube.watch(NODE_SERVICES, { signal, onTrouble });
    // Variables of Services that exist are there from a container's first start.
    await this.#services.synced;
    const pods = kube.watch(NODE_PODS, {
      fieldSelector: `spec.nodeName=${name}`,
      signal,
      onTrouble,
      onAdd: (pod) => this.#take(pod, block),
      onUpdate: (pod) => this.#take(pod, block),
      onDelete: (pod) => this.#slots.get(pod.metadata.uid ?? '')?.kill(),
    });
    await pods.synced;
    return {
      name,
      address: block.nodeIP,
      close: async () => {
        this.#closing.abort();
        await Promise.all([...this.#slots.values()].map((slot) => slot.kill()));
        await registration.close();
        server.close();
        cut();
      },
    };
  }

  #take(pod: Pod, block: AddressBlock): void {
    const uid = pod.metadata.uid ?? '';
    const slot = this.#slots.get(uid) ?? this.#open(pod, uid, block);
    slot?.update(pod);
  }

  /** A place for a new pod; undefined for one that needs none. */
  #open(pod: Pod, uid: string, block: AddressBlock): PodSlot | undefined {
    const { kube, directory, name, api, catalogue, warden, runtime, onTrouble } = this.#options;
    const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
    if (isFinished(pod) && deletionTimestamp === undefined) return undefined;
    // Nothing of it runs, and what is left of the object waits for a finalizer.
    if (deletionGracePeriodSeconds === 0) return undefined;
    const own = join(directory, 'p', uid.slice(0, 8));
    const podIP = pod.spec.hostNetwork === true ? block.nodeIP : block.take();
    const slot = new PodSlot(pod, {
      kube,
      node: name,
      directory: own,
      podIP,
      hostIP: block.nodeIP,
      api,
      catalogue,
      warden,
      runtime,
      events: this.#events,
      onTrouble,
      services: (namespace) =>
        (this.#services?.list() ?? []).filter((each) => each.metadata.namespace === namespace),
      onEnd: () => {
        this.#slots.delete(uid);
        this.#events.forget(uid);
        if (podIP !== block.nodeIP) block.release(podIP);
        rmSync(own, { recursive: true, force: true });
      },
    });
    this.#slots.set(uid, slot);
    return slot;
  }

  #log(namespace: string, pod: string, container: string, previous: boolean): ContainerLog | undefined {
    for (const slot of this.#slots.values())
      if (slot.pod.metadata.namespace === namespace && slot.pod.metadata.name === pod)
        return slot.log(container, previous);
    return undefined;
  }
}
