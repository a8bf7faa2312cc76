import { ENCLAVE_LABEL } from '../../../names/labels.ts';
import type { Kube, WatchHandle } from '../../../platform/kube/kube.ts';
import {
  CERTIFICATE_SIGNING_REQUESTS,
  type CertificateSigningRequest,
  PODS,
  type Pod,
} from '../../../platform/kube/resources.ts';
import type { KubeObject } from '../../../platform/kube/wire.ts';
import type { Logger } from '../../../platform/log/logger.ts';
import { explain } from '../../../platform/run/explain.ts';

/** Launched pods and certificate requests, kept current by watches that all launches share. */
export class ClusterView {
  readonly #pods: ReadonlyMap<string, WatchHandle<Pod>>;
  readonly #requests: WatchHandle<CertificateSigningRequest>;
  readonly #listeners = new Set<() => void>();

  constructor(kube: Kube, namespaces: readonly string[], log: Logger, signal: AbortSignal) {
    const changed = (): void => {
      for (const listener of this.#listeners) listener();
    };
    const callbacks = <T extends KubeObject>(what: string) => ({
      signal,
      onAdd: (_object: T) => changed(),
      onUpdate: (_object: T) => changed(),
      onDelete: (_object: T) => changed(),
      onTrouble: (error: unknown) =>
        log.warn({ what, error: explain(error) }, 'the API server cannot be watched now'),
    });
    this.#pods = new Map(
      namespaces.map((namespace) => [
        namespace,
        kube.watch(PODS, { namespace, labelSelector: ENCLAVE_LABEL, ...callbacks<Pod>('pods') }),
      ]),
    );
    this.#requests = kube.watch(
      CERTIFICATE_SIGNING_REQUESTS,
      callbacks<CertificateSigningRequest>('requests'),
    );
  }

  pod(namespace: string, name: string): Pod | undefined {
    return this.#pods.get(namespace)?.get({ namespace, name });
  }

  requests(): readonly CertificateSigningRequest[] {
    return this.#requests.list();
  }

  isCurrent(): boolean {
    return this.#requests.current() && [...this.#pods.values()].every((each) => each.current());
  }

  /** Called after every change; returns what ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
