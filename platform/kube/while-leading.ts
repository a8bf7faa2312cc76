import type { Term } from './election.ts';
import type { Kube } from './kube.ts';

/**
 * The API server as a leader may use it: it reads as ever, and writes nothing after its term, judged by the clock at each write. A machine that slept, and goes
 * on, may find work in its queues before the timer has run that ends the term.
 */
export function whileLeading(kube: Kube, term: Pick<Term, 'holds'>): Kube {
  const first = async (): Promise<void> => {
    if (!term.holds()) throw new Error('nothing is written: another replica may lead by now');
  };
  return {
    ...kube,
    create: (...args) => first().then(() => kube.create(...args)),
    replace: (...args) => first().then(() => kube.replace(...args)),
    patch: (...args) => first().then(() => kube.patch(...args)),
    delete: (...args) => first().then(() => kube.delete(...args)),
    createSubresource: (...args) => first().then(() => kube.createSubresource(...args)),
  };
}
