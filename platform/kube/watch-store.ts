import type { WatchOptions } from './kube.ts';
import type { KubeObject, Ref } from './wire.ts';

/** The objects that a watch has seen, and the callbacks for what changes. */
export class WatchStore<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #options: WatchOptions<T>;

  constructor(options: WatchOptions<T>) {
    this.#options = options;
  }

  get(ref: Ref): T | undefined {
    return this.#objects.get(keyOf(ref));
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  /** A new list: what it lacks was deleted while we were away. */
  replaceAll(items: readonly T[]): void {
    const keys = new Set(items.map((item) => keyOf(item.metadata ?? {})));
    for (const [key, object] of [...this.#objects]) if (!keys.has(key)) this.#remove(key, object);
    for (const item of items) this.apply('ADDED', item);
    this.#options.onListed?.(this.list());
  }

  apply(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void {
    const key = keyOf(object.metadata ?? {});
    if (type === 'DELETED') {
      this.#remove(key, object);
      return;
    }
    const old = this.#objects.get(key);
    if (old !== undefined && old.metadata?.uid !== object.metadata?.uid) {
      // Deleted and made again under the same name: two objects, not one that changed.
      this.#remove(key, old);
      this.#objects.set(key, object);
      this.#options.onAdd?.(object);
      return;
    }
    this.#objects.set(key, object);
    if (old === undefined) this.#options.onAdd?.(object);
    else if (old.metadata?.resourceVersion !== object.metadata?.resourceVersion)
      this.#options.onUpdate?.(object, old);
  }

  #remove(key: string, last: T): void {
    if (this.#objects.delete(key)) this.#options.onDelete?.(last);
  }
}

function keyOf(ref: { readonly name?: string; readonly namespace?: string } | Ref): string {
  return `${ref.namespace ?? ''}/${ref.name ?? ''}`;
}
