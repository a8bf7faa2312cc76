/** As Promise.all, but rejects (with the first reason) only when every one has ended: what follows meets none of them at work. */
export async function allSettled<T extends readonly unknown[]>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
  return await Promise.all(work);
}
