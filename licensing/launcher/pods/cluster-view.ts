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

/** The pod whose objects are meant. */
export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/**
 * Launched pods and the certificate requests named after them, kept current by watches that all launches share. Who waits is told of its own pod's objects only: what one launch
 * costs does not depend on how many others run.
 */
export class ClusterView {
  readonly #pods: ReadonlyMap<string, WatchHandle<Pod>>;
  readonly #requests: WatchHandle<CertificateSigningRequest>;
  readonly #requestsByPod = new Map<string, Map<string, CertificateSigningRequest>>();
  /** By the pod's namespace and name, and by its UID. */
  readonly #listeners = new Map<string, Set<() => void>>();

  constructor(kube: Kube, namespaces: readonly string[], log: Logger, signal: AbortSignal) {
    const callbacks = <T extends KubeObject>(what: string, changed: (object: T, gone: boolean) => void) => ({
      signal,
      onAdd: (object: T) => changed(object, false),
      onUpdate: (object: T) => changed(object, false),
      onDelete: (object: T) => changed(object, true),
      onTrouble: (error: unknown) =>
        log.warn({ what, error: explain(error) }, 'the API server cannot be watched now'),
    });
    const podChanged = ({ metadata }: Pod): void =>
      this.#tell(nameKey(metadata?.namespace ?? '', metadata?.name ?? ''));
    this.#pods = new Map(
      namespaces.map((namespace) => [
        namespace,
        kube.watch(PODS, {
          namespace,
          labelSelector: ENCLAVE_LABEL,
          project: withoutManagedFields,
          ...callbacks<Pod>('pods', podChanged),
        }),
      ]),
    );
    this.#requests = kube.watch(CERTIFICATE_SIGNING_REQUESTS, {
      project: withoutRequest,
      ...callbacks<CertificateSigningRequest>('requests', (object, gone) => this.#sort(object, gone)),
    });
  }

  pod(namespace: string, name: string): Pod | undefined {
    return this.#pods.get(namespace)?.get({ namespace, name });
  }

  /** Those named `enclave-<UID>-<n>`, without what was requested. */
  requestsOf(podUid: string): readonly CertificateSigningRequest[] {
    return [...(this.#requestsByPod.get(podUid)?.values() ?? [])];
  }

  /** All there are, without what was requested. */
  requests(): readonly CertificateSigningRequest[] {
    return this.#requests.list();
  }

  isCurrent(): boolean {
    return this.#requests.current() && [...this.#pods.values()].every((each) => each.current());
  }

  /** Called after every change of the pod or of its requests; returns what ends it. */
  onChange({ namespace, name, uid }: PodIdentity, listener: () => void): () => void {
    const keys = [nameKey(namespace, name), uid];
    for (const key of keys) this.#listeners.set(key, (this.#listeners.get(key) ?? new Set()).add(listener));
    return () => {
      for (const key of keys) {
        const listeners = this.#listeners.get(key);
        listeners?.delete(listener);
        if (listeners?.size === 0) this.#listeners.delete(key);
      }
    };
  }

  #sort(request: CertificateSigningRequest, gone: boolean): void {
    const name = request.metadata?.name ?? '';
    const podUid = /^enclave-(.+)-[^-]+$/.exec(name)?.[1];
    if (podUid === undefined) return;
    const own = this.#requestsByPod.get(podUid) ?? new Map<string, CertificateSigningRequest>();
    if (gone) own.delete(name);
    else own.set(name, request);
    if (own.size === 0) this.#requestsByPod.delete(podUid);
    else this.#requestsByPod.set(podUid, own);
    this.#tell(podUid);
  }

  #tell(key: string): void {
    for (const listener of this.#listeners.get(key) ?? []) listener();
  }
}

function nameKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

function withoutManagedFields(pod: Pod): Pod {
  const { managedFields: _, ...metadata } = pod.metadata ?? {};
  return { ...pod, metadata };
}

/** Evidence makes a request large, and nobody here reads it. */
function withoutRequest(object: CertificateSigningRequest): CertificateSigningRequest {
  const { managedFields: _, ...metadata } = object.metadata ?? {};
  return { ...object, metadata, spec: { ...object.spec, request: '' } };
}
