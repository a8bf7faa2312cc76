import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Kube } from '../../platform/kube/kube.ts';
import { NODE_PODS, NODE_SERVICES } from '../node/node-pods.ts';
import type { Pod, Service } from '../node/pod.ts';

const LISTEN_RETRY_MS = 1000;

type ServicePort = NonNullable<Service['spec']['ports']>[number];

/** The endpoints of a Service's port: address and port of each pod that its selector matches and that is ready, unless readiness does not count. */
export function endpoints(
  service: Service,
  port: ServicePort,
  pods: readonly Pod[],
): { host: string; port: number }[] {
  const selector = Object.entries(service.spec.selector ?? {});
  if (selector.length === 0) return [];
  return pods
    .filter(
      (pod) =>
        pod.metadata.namespace === service.metadata.namespace &&
        pod.metadata.deletionTimestamp === undefined &&
        (service.spec.publishNotReadyAddresses === true ||
          pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')) &&
        selector.every(([key, value]) => pod.metadata.labels?.[key] === value),
    )
    .flatMap((pod) => {
      const target = port.targetPort ?? port.port;
      const number =
        typeof target === 'number'
          ? target
          : pod.spec.containers.flatMap((each) => each.ports ?? []).find(({ name }) => name === target)
              ?.containerPort;
      return pod.status?.podIP && number !== undefined ? [{ host: pod.status.podIP, port: number }] : [];
    });
}

/**
 * Stands in for kube-proxy: listens on the loopback cluster IP of every Service and joins each connection to a
 * ready pod, in turn. A connection is closed when there is none.
 */
export class ServiceProxy {
  readonly #servers = new Map<string, Server>();
  readonly #sockets = new Set<Socket>();
  readonly #closing = new AbortController();
  readonly #kube: Kube;
  #turn = 0;

  readonly #onTrouble: (error: unknown) => void;

  constructor(kube: Kube, onTrouble: (error: unknown) => void) {
    this.#kube = kube;
    this.#onTrouble = onTrouble;
  }

  async start(): Promise<void> {
    const { signal } = this.#closing;
    const onTrouble = this.#onTrouble;
    const pods = this.#kube.watch(NODE_PODS, { signal, onTrouble });
    const services = this.#kube.watch(NODE_SERVICES, {
      signal,
      onTrouble,
      onAdd: (service) => this.#reconcile(service, () => pods.list()),
      onUpdate: (service) => this.#reconcile(service, () => pods.list()),
      onDelete: (service) => this.#remove(service),
    });
    await Promise.all([pods.synced, services.synced]);
  }

  close(): void {
    this.#closing.abort();
    for (const server of this.#servers.values()) server.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#servers.clear();
  }

  #reconcile(service: Service, pods: () => readonly Pod[]): void {
    this.#remove(service);
    const { clusterIP, ports = [], selector } = service.spec;
    // The Service `kubernetes` has no selector: pods are told the API server's own address.
    if (!clusterIP?.startsWith('127.') || selector === undefined) return;
    for (const port of ports) {
      if ((port.protocol ?? 'TCP') !== 'TCP') continue;
      const server = createServer((client) => this.#join(client, endpoints(service, port, pods())));
      this.#servers.set(`${keyOf(service)}:${port.port}`, server);
      server.on('error', (error) => {
        // Another process has the port for now, or we may not have it.
        this.#onTrouble(error);
        setTimeout(() => {
          if (!this.#closing.signal.aborted && [...this.#servers.values()].includes(server))
            server.listen(port.port, clusterIP);
        }, LISTEN_RETRY_MS).unref();
      });
      server.listen(port.port, clusterIP);
    }
  }

  #remove(service: Service): void {
    for (const [key, server] of [...this.#servers])
      if (key.startsWith(`${keyOf(service)}:`)) {
        server.close();
        this.#servers.delete(key);
      }
  }

  #join(client: Socket, targets: readonly { host: string; port: number }[]): void {
    const target = targets[this.#turn % Math.max(1, targets.length)];
    this.#turn += 1;
    if (target === undefined) {
      client.destroy();
      return;
    }
    const backend = connect(target);
    for (const [one, other] of [
      [client, backend],
      [backend, client],
    ] as const) {
      this.#sockets.add(one);
      one.setNoDelay(true);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    client.pipe(backend).pipe(client);
  }
}

function keyOf(service: Service): string {
  return `${service.metadata.namespace}/${service.metadata.name}`;
}
