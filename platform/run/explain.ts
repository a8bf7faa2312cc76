const WORDS: ReadonlyMap<
  string,
  (error: NodeJS.ErrnoException & { address?: string; port?: number }) => string
> = new Map([
  ['EADDRINUSE', (e) => `${where(e)} is in use by another process`],
  ['EADDRNOTAVAIL', (e) => `${where(e)} is not an address of this machine`],
  ['EACCES', (e) => `no permission for ${e.path ?? where(e)}`],
  ['ENOENT', (e) => `${e.path ?? 'a file'} does not exist`],
  ['ECONNREFUSED', (e) => `nothing listens at ${where(e)}`],
  ['ETIMEDOUT', (e) => `${where(e)} does not answer`],
  ['ENOTFOUND', (e) => `no address for ${'hostname' in e ? String(e.hostname) : where(e)}`],
]);

function where(error: { address?: string; port?: number }): string {
  return error.address === undefined ? 'the address' : `${error.address}:${error.port ?? ''}`;
}

/** One line for a person: what an operating system error means, or the error's own message. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.errors.length > 0) return explain(error.errors[0]);
  const word = 'code' in error ? WORDS.get(String(error.code)) : undefined;
  return (word === undefined ? error.message : word(error)).split('\n')[0] ?? '';
}
