/** What a request asks for, in the words of authorization (verb, group, resource, subresource, namespace, name). */
export interface ResourceRequest {
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string | undefined;
  readonly name: string;
}

const VERBS: Readonly<Record<string, readonly [onOne: string, onMany: string]>> = {
  GET: ['get', 'list'],
  HEAD: ['get', 'list'],
  POST: ['create', 'create'],
  PUT: ['update', 'update'],
  PATCH: ['patch', 'patch'],
  DELETE: ['delete', 'deletecollection'],
};

/** `undefined` for a path that names no resource (discovery, health). */
export function parseRequest(
  method: string,
  pathname: string,
  query: URLSearchParams,
): ResourceRequest | undefined {
  const parts = pathname
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent);
  const start = parts[0] === 'api' ? 1 : parts[0] === 'apis' ? 2 : 0;
  const version = parts[start];
  if (start === 0 || version === undefined || parts.length < start + 2) return undefined;
  const group = start === 2 ? (parts[1] ?? '') : '';
  const rest = parts.slice(start + 1);
  const inNamespace = rest[0] === 'namespaces' && rest.length > 2 && !isNamespaceSubresource(rest);
  const namespace = inNamespace ? rest[1] : undefined;
  const [resource = '', name = '', ...subresource] = inNamespace ? rest.slice(2) : rest;
  const verbs = VERBS[method];
  if (verbs === undefined) return undefined;
  const watch = ['1', 'true'].includes(query.get('watch') ?? '');
  const verb = name === '' ? verbs[1] : verbs[0];
  return {
    verb: watch && (verb === 'list' || verb === 'get') && subresource.length === 0 ? 'watch' : verb,
    group,
    version,
    resource,
    subresource: subresource.join('/'),
    // A Namespace is its own namespace: rights inside it reach the object.
    namespace: resource === 'namespaces' && group === '' && name !== '' ? name : namespace,
    name,
  };
}

function isNamespaceSubresource(rest: readonly string[]): boolean {
  return rest.length === 3 && (rest[2] === 'status' || rest[2] === 'finalize');
}
