/**
 * One launch or stop of an enclave at a time in this process: who comes later ends the one before, and begins when that has ended. It saves work; with other
 * replicas the API server decides, by a pod's name and UID.
 */
export class EnclaveLocks {
  readonly #holders = new Map<string, Holder>();

  async enter(enclave: string): Promise<{ readonly signal: AbortSignal; leave(): void }> {
    const before = this.#holders.get(enclave);
    const own: Holder = { abort: new AbortController(), left: Promise.withResolvers<void>() };
    this.#holders.set(enclave, own);
    before?.abort.abort(new DOMException('superseded by a later call', 'AbortError'));
    await before?.left.promise;
    return {
      signal: own.abort.signal,
      leave: () => {
        own.left.resolve();
        if (this.#holders.get(enclave) === own) this.#holders.delete(enclave);
      },
    };
  }
}

interface Holder {
  readonly abort: AbortController;
  readonly left: PromiseWithResolvers<void>;
}
