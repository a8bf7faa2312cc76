/** The operations of RFC 6902 that injection writes. */
export type PatchOperation =
  | { readonly op: 'add'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/** A reference token of a JSON Pointer (RFC 6901, section 3): `~` is `~0`, `/` is `~1`. */
export function escapePointer(token: string): string {
  return token.replaceAll('~', '~0').replaceAll('/', '~1');
}

function unescapePointer(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function change(node: unknown, tokens: readonly string[], operation: PatchOperation): unknown {
  const [token, ...rest] = tokens;
  if (token === undefined) throw new Error(`patch of the whole document: ${operation.path}`);
  if (Array.isArray(node)) {
    const copy: unknown[] = [...node];
    const index = token === '-' ? copy.length : Number(token);
    if (rest.length > 0) copy[index] = change(copy[index], rest, operation);
    else if (operation.op === 'add') copy.splice(index, 0, operation.value);
    else copy.splice(index, 1);
    return copy;
  }
  if (!isObject(node)) throw new Error(`no such place: ${operation.path}`);
  const copy: Record<string, unknown> = { ...node };
  if (rest.length > 0) copy[token] = change(copy[token], rest, operation);
  else if (operation.op === 'add') copy[token] = operation.value;
  else delete copy[token];
  return copy;
}

/** The document after our own patch; the one that was given stays as it is. For offline use, not for admission. */
export function applyPatch<T extends object>(document: T, patch: readonly PatchOperation[]): T {
  let result: unknown = document;
  for (const operation of patch)
    result = change(result, operation.path.split('/').slice(1).map(unescapePointer), operation);
  return result as T;
}
