import { ENCLAVE_LABEL, INJECT_LABEL } from '../../names/labels.ts';
import type { Kube, WatchHandle } from '../../platform/kube/kube.ts';
import { PODS } from '../../platform/kube/resources.ts';
import { type EnclavePod, enclavePodReader, type SidecarRelease } from './enclave-pod.ts';
import type { Census } from './namespace-rule.ts';

export interface EnclavePodsOptions {
  readonly kube: Kube;
  readonly release: SidecarRelease;
  readonly signal: AbortSignal;
  onChange?(): void;
  onTrouble?(error: unknown): void;
}

/** Longest pause between attempts while the API server is away: soon after it is back somebody may want to know. */
export const MAX_PAUSE_MS = 2_000;

/**
 * The cluster's pods with one of our labels, kept current by watches that the API server filters: a selector cannot say "this label or that one", so there are
 * two. Each replica holds them, because the rule for namespaces must not ask anybody.
 */
export class EnclavePods implements Census {
  readonly #handles: readonly WatchHandle<EnclavePod>[];

  constructor({ kube, release, signal, onChange, onTrouble }: EnclavePodsOptions) {
    const changed = (): void => onChange?.();
    this.#handles = [ENCLAVE_LABEL, `${INJECT_LABEL},!${ENCLAVE_LABEL}`].map((labelSelector) =>
      kube.watch(PODS, {
        labelSelector,
        signal,
        maxPauseMs: MAX_PAUSE_MS,
        project: enclavePodReader(release),
        onAdd: changed,
        onUpdate: changed,
        onDelete: changed,
        onListed: changed,
        ...(onTrouble && { onTrouble }),
      }),
    );
  }

  current(): boolean {
    return this.#handles.every((handle) => handle.current());
  }

  list(): readonly EnclavePod[] {
    return this.#handles.flatMap((handle) => handle.list());
  }

  running(namespace: string): readonly string[] {
    return this.list()
      .filter((pod) => !pod.ended && pod.metadata?.namespace === namespace)
      .map((pod) => pod.metadata?.name ?? '')
      .sort();
  }
}
