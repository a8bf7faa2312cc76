/** Values published to everyone who listens at that moment; who listens later misses what was before. */
export class Feed<T> {
  readonly #listeners = new Set<Listener<T>>();
  #ended = false;

  get listeners(): number {
    return this.#listeners.size;
  }

  publish(value: T): void {
    for (const listener of this.#listeners) listener.push(value);
  }

  /** Listeners get what was published, then their end. */
  end(): void {
    this.#ended = true;
    for (const listener of [...this.#listeners]) listener.push(undefined);
  }

  /** Listening begins with this call, not with the first `next`. Ends with the feed or with the signal. */
  listen(signal: AbortSignal): AsyncIterableIterator<T> {
    const waiting: (T | undefined)[] = this.#ended ? [undefined] : [];
    let wake: (() => void) | undefined;
    const listener: Listener<T> = {
      push: (value) => {
        waiting.push(value);
        wake?.();
      },
    };
    const onAbort = (): void => listener.push(undefined);
    const leave = (): void => {
      this.#listeners.delete(listener);
      signal.removeEventListener('abort', onAbort);
    };
    this.#listeners.add(listener);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      async next() {
        while (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
        const value = waiting.shift();
        if (value !== undefined) return { done: false, value };
        leave();
        waiting.push(undefined);
        return { done: true, value: undefined };
      },
      async return() {
        leave();
        return { done: true, value: undefined };
      },
    };
  }
}

interface Listener<T> {
  push(value: T | undefined): void;
}
