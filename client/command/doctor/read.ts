import { KubeError } from '../../../platform/kube/kube-error.ts';
import { explain } from '../../../platform/run/explain.ts';

/** Something that was looked for, or why it could not be looked at. */
export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      readonly reason: 'forbidden' | 'not-served' | 'too-slow' | 'failed';
      readonly message: string;
    };

/** Longest wait for one answer, milliseconds. */
const READ_MS = 8_000;

/** Never rejects, and never waits longer than the limit. */
export async function attempt<T>(work: () => Promise<T>, limitMs = READ_MS): Promise<Read<T>> {
  const { promise, resolve } = Promise.withResolvers<Read<T>>();
  const timer = setTimeout(
    () => resolve({ ok: false, reason: 'too-slow', message: `no answer within ${limitMs / 1000} s` }),
    limitMs,
  );
  work().then(
    (value) => resolve({ ok: true, value }),
    (error: unknown) => resolve({ ok: false, reason: reasonOf(error), message: explain(error) }),
  );
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

function reasonOf(error: unknown): 'forbidden' | 'not-served' | 'failed' {
  if (!(error instanceof KubeError)) return 'failed';
  if (error.status === 403) return 'forbidden';
  return error.status === 404 ? 'not-served' : 'failed';
}
