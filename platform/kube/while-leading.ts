import type { Kube } from './kube.ts';

/**
 * The API server as a leader may use it: it reads as ever, and writes nothing after its term, judged by the clock at each write. A machine that slept, and goes
 * on, may find work in its queues before the timer has run that ends the term.
 * @param holds whether the term goes on
 */
export function whileLeading(kube: Kube, holds: () => boolean): Kube {
  const first = async (): Promise<void> => {
    if (!holds()) throw new Error('nothing is written: another replica may lead by now');
  };
  // Each by its name: what is new here does not compile before somebody says whether it writes.
  const { get, list, log, watch, close } = kube;
  return {
    ...{ get, list, log, watch, close },
    create: (...args) => first().then(() => kube.create(...args)),
    replace: (...args) => first().then(() => kube.replace(...args)),
    patch: (...args) => first().then(() => kube.patch(...args)),
    delete: (...args) => first().then(() => kube.delete(...args)),
    createSubresource: (...args) => first().then(() => kube.createSubresource(...args)),
  };
}
