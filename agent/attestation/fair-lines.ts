interface Place<T> {
  readonly item: T;
  next?: Place<T>;
}

interface Line<T> {
  first: Place<T>;
  last: Place<T>;
  length: number;
}

/**
 * One waiting line for each key, served in turn, so that nobody's place depends on how much others bring. Whoever was served goes
 * to the end of the round, from one `take` to the next as well.
 */
export class FairLines<T> {
  /** In the order of their turns. No line is empty. */
  readonly #lines = new Map<string, Line<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  sizeOf(key: string): number {
    return this.#lines.get(key)?.length ?? 0;
  }

  push(key: string, item: T): void {
    const place: Place<T> = { item };
    const line = this.#lines.get(key);
    if (line === undefined) this.#lines.set(key, { first: place, last: place, length: 1 });
    else {
      line.last.next = place;
      line.last = place;
      line.length++;
    }
    this.#size++;
  }

  /** Up to `max` items, one of each line in turn. */
  take(max: number): T[] {
    const taken: T[] = [];
    // What is set again while a Map is walked comes once more at its end: the walk is the rounds.
    for (const [key, line] of this.#lines) {
      if (taken.length >= max) break;
      const { item, next } = line.first;
      taken.push(item);
      this.#lines.delete(key);
      if (next === undefined) continue;
      line.first = next;
      line.length--;
      this.#lines.set(key, line);
    }
    this.#size -= taken.length;
    return taken;
  }
}
