/** A value that is replaced while the process runs: a certificate that is renewed, a trust set that grows. */
export interface Live<T> {
  current(): T;
  /** Called after each change. Returns what ends the subscription. */
  onChange(listener: (value: T) => void): () => void;
}

export interface Settable<T> extends Live<T> {
  set(value: T): void;
}

export function liveValue<T>(initial: T): Settable<T> {
  let value = initial;
  const listeners = new Set<(value: T) => void>();
  return {
    current: () => value,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set: (next) => {
      value = next;
      for (const listener of [...listeners]) listener(next);
    },
  };
}

/** A live value computed from another, anew after each change. */
export function mapLive<A, B>(source: Live<A>, convert: (value: A) => B): Live<B> {
  return {
    current: () => convert(source.current()),
    onChange: (listener) => source.onChange((value) => listener(convert(value))),
  };
}
