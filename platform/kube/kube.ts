import type { KubeObject, Ref, Resource } from './wire.ts';

export interface ListOptions {
  /** Absent: in all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface KubeList<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

export interface DeleteOptions {
  /** Preconditions: the API server answers Conflict when they do not hold. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
}

export type PatchType = 'merge' | 'json' | 'strategic';

export interface WatchOptions<T> extends ListOptions {
  readonly signal: AbortSignal;
  /** Longest pause between attempts while the API server is away, in milliseconds (default 10 s). */
  readonly maxPauseMs?: number;
  onAdd?(object: T): void;
  onUpdate?(object: T, old: T): void;
  onDelete?(object: T): void;
  /** The copy was made anew from a list, at the start or because a version had expired; after the callbacks for what changed. */
  onListed?(objects: readonly T[]): void;
  /** Trouble that the watch recovers from by itself: for a log or a metric. */
  onTrouble?(error: unknown): void;
}

/** What a watch keeps of each object and gives to its callbacks, and what a list returns of it: all of it, or what `project` makes of it (in a watch name, namespace, uid and version stay). Must not throw. */
export interface Projection<T, S> {
  readonly project?: (object: T) => S;
}

/** A local copy of what matches, kept current until the signal aborts. */
export interface WatchHandle<T> {
  /** Resolves when the first list is in the store (never rejects: the watch tries until then, or until the signal aborts). */
  readonly synced: Promise<void>;
  /** Is the copy current, as far as we know? False while the API server is away. */
  current(): boolean;
  get(ref: Ref): T | undefined;
  list(): readonly T[];
  /** Resolves when the watch has ended after the signal. */
  readonly ended: Promise<void>;
}

/**
 * The API server, generic over resources. Every call has a time limit of 30 seconds and may throw KubeError (the server's answer) or a
 * connection's own error.
 */
export interface Kube {
  /** Undefined when there is none (404). */
  get<T extends KubeObject>(resource: Resource<T>, ref: Ref, signal?: AbortSignal): Promise<T | undefined>;
  /** All that match, asked for page by page. */
  list<T extends KubeObject, S = T>(
    resource: Resource<T>,
    options?: ListOptions & Projection<T, S>,
  ): Promise<KubeList<S>>;
  create<T extends KubeObject>(resource: Resource<T>, object: T, options?: { dryRun?: boolean }): Promise<T>;
  /** Conflict when the object's resourceVersion is not the newest. */
  replace<T extends KubeObject>(resource: Resource<T>, object: T, subresource?: string): Promise<T>;
  patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: Ref,
    patch: unknown,
    type?: PatchType,
    subresource?: string,
  ): Promise<T>;
  /** False when it was gone already. */
  delete<T extends KubeObject>(resource: Resource<T>, ref: Ref, options?: DeleteOptions): Promise<boolean>;
  /** POST to a subresource: `token`, `binding`, `eviction`. */
  createSubresource<R>(
    resource: Resource<KubeObject>,
    ref: Ref,
    subresource: string,
    body: unknown,
  ): Promise<R>;
  log(ref: Ref, options?: { container?: string; tailLines?: number; previous?: boolean }): Promise<string>;
  /** List and watch: resumes after a break, lists anew on 410. Callbacks come in order and must not throw. */
  watch<T extends KubeObject, S extends KubeObject = T>(
    resource: Resource<T>,
    options: WatchOptions<S> & Projection<T, S>,
  ): WatchHandle<S>;
  /** Closes idle connections. */
  close(): void;
}
