import { ENABLED, INJECTION_LABEL } from '../../names/labels.ts';
import type { Kube, WatchHandle } from '../../platform/kube/kube.ts';
import { NAMESPACES, type Namespace, NETWORK_POLICIES } from '../../platform/kube/resources.ts';
import type { KubeObject } from '../../platform/kube/wire.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { explain } from '../../platform/run/explain.ts';
import type { SidecarRelease } from './enclave-pod.ts';
import { EnclavePods, MAX_PAUSE_MS } from './enclave-pods.ts';
import { type PolicyRecord, policyRecord } from './policy-record.ts';

interface NamespaceRecord extends KubeObject {
  readonly isGoing: boolean;
}

export interface ClusterCopyOptions {
  readonly kube: Kube;
  readonly release: SidecarRelease;
  readonly excludedNamespaces: readonly string[];
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** What the keeper knows of the cluster: labelled namespaces, pods with our labels, network policies; a few fields of each. */
export class ClusterCopy {
  readonly pods: EnclavePods;
  /** Policies that were the keeper's when this process first saw them. */
  readonly knownPolicies = new Set<string>();
  readonly #namespaces: WatchHandle<NamespaceRecord>;
  readonly #policies: WatchHandle<PolicyRecord>;
  readonly #excluded: readonly string[];
  #changed = Promise.withResolvers<void>();

  constructor({ kube, release, excludedNamespaces, log, signal }: ClusterCopyOptions) {
    this.#excluded = excludedNamespaces;
    const onTrouble = (what: string) => (error: unknown) =>
      log.warn({ what }, `the API server cannot be watched now: ${explain(error)}`);
    const changed = () => this.touch();
    const callbacks = {
      signal,
      maxPauseMs: MAX_PAUSE_MS,
      onAdd: changed,
      onUpdate: changed,
      onDelete: changed,
      onListed: changed,
    };
    this.pods = new EnclavePods({ kube, release, signal, onChange: changed, onTrouble: onTrouble('pods') });
    this.#namespaces = kube.watch(NAMESPACES, {
      ...callbacks,
      labelSelector: `${INJECTION_LABEL}=${ENABLED}`,
      project: namespaceRecord,
      onTrouble: onTrouble('namespaces'),
    });
    this.#policies = kube.watch(NETWORK_POLICIES, {
      ...callbacks,
      project: policyRecord,
      onAdd: (policy) => {
        if (policy.ours) this.knownPolicies.add(policy.metadata?.uid ?? '');
        this.touch();
      },
      onDelete: (policy) => {
        this.knownPolicies.delete(policy.metadata?.uid ?? '');
        this.touch();
      },
      onTrouble: onTrouble('network policies'),
    });
  }

  /** Whether all of it can be believed. */
  current(): boolean {
    return this.pods.current() && this.#namespaces.current() && this.#policies.current();
  }

  /** Resolves after the next change. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  touch(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Labelled namespaces where the webhook injects. */
  labelled(): ReadonlySet<string> {
    return new Set(this.#live(() => true));
  }

  /** Those of them in which something can still be made. */
  open(): ReadonlySet<string> {
    return new Set(this.#live(({ isGoing }) => !isGoing));
  }

  policies(): readonly PolicyRecord[] {
    return this.#policies.list();
  }

  #live(takes: (namespace: NamespaceRecord) => boolean): string[] {
    return this.#namespaces
      .list()
      .filter(takes)
      .map((each) => each.metadata?.name ?? '')
      .filter((name) => !this.#excluded.includes(name));
  }
}

function namespaceRecord({ metadata, status }: Namespace): NamespaceRecord {
  const { name, uid, resourceVersion, deletionTimestamp } = metadata ?? {};
  return {
    metadata: {
      ...(name !== undefined && { name }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    },
    isGoing: deletionTimestamp !== undefined || status?.phase === 'Terminating',
  };
}
