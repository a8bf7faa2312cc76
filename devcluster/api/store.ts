import type { KubeObject } from './object.ts';

/** One write, in order of its revision. `previous` lets a selector see an object leave it. */
export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: KubeObject;
  readonly previous: KubeObject | undefined;
  readonly revision: number;
}

interface Table {
  readonly objects: Map<string, KubeObject>;
  history: Change[];
  /** Changes up to this revision are forgotten. */
  compacted: number;
  readonly listeners: Set<(change: Change) => void>;
}

/**
 * Objects in memory with one revision counter for all, as etcd has. Stored objects are never changed in place:
 * a write replaces them, so readers may hold on to what they were given.
 */
export class Store {
  #revision = 1;
  #compactions = 0;
  readonly #tables = new Map<string, Table>();
  readonly #historyLimit: number;

  /** @param historyLimit changes kept a table for watches that resume */
  constructor(historyLimit: number) {
    this.#historyLimit = historyLimit;
  }

  get revision(): number {
    return this.#revision;
  }

  /** How often history was forgotten: what was promised before that has expired. */
  get compactions(): number {
    return this.#compactions;
  }

  get(table: string, key: string): KubeObject | undefined {
    return this.#table(table).objects.get(key);
  }

  /** Objects in the order of their keys; of one namespace when it is given. */
  list(table: string, namespace?: string): KubeObject[] {
    return [...this.#table(table).objects.entries()]
      .filter(([key]) => namespace === undefined || key.startsWith(`${namespace}/`))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object);
  }

  /** Puts a new or changed object; gives it its resourceVersion. */
  put(table: string, key: string, object: KubeObject): KubeObject {
    const held = this.#table(table);
    const previous = held.objects.get(key);
    const revision = this.#next();
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
    held.objects.set(key, stored);
    this.#record(held, { type: previous ? 'MODIFIED' : 'ADDED', object: stored, previous, revision });
    return stored;
  }

  remove(table: string, key: string): KubeObject | undefined {
    const held = this.#table(table);
    const previous = held.objects.get(key);
    if (previous === undefined) return undefined;
    held.objects.delete(key);
    const revision = this.#next();
    const object = { ...previous, metadata: { ...previous.metadata, resourceVersion: String(revision) } };
    this.#record(held, { type: 'DELETED', object, previous, revision });
    return object;
  }

  /** Changes after a revision, or `undefined` when history no longer reaches back so far. */
  since(table: string, revision: number): Change[] | undefined {
    const held = this.#table(table);
    return revision < held.compacted
      ? undefined
      : held.history.filter((change) => change.revision > revision);
  }

  subscribe(table: string, listener: (change: Change) => void): () => void {
    const { listeners } = this.#table(table);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Forgets all history, as etcd's compaction does: a watch from an earlier revision has expired. */
  compact(): void {
    this.#next();
    this.#compactions += 1;
    for (const held of this.#tables.values()) {
      held.history = [];
      held.compacted = this.#revision;
    }
  }

  #next(): number {
    this.#revision += 1;
    return this.#revision;
  }

  #record(held: Table, change: Change): void {
    held.history.push(change);
    if (held.history.length > this.#historyLimit)
      held.compacted = held.history.shift()?.revision ?? held.compacted;
    for (const listener of [...held.listeners]) listener(change);
  }

  #table(name: string): Table {
    const held = this.#tables.get(name);
    if (held !== undefined) return held;
    const made: Table = { objects: new Map(), history: [], compacted: 0, listeners: new Set() };
    this.#tables.set(name, made);
    return made;
  }
}
