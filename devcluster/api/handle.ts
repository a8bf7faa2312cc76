import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError, internalError, methodNotAllowed } from './api-error.ts';
import { authenticate } from './authentication.ts';
import type { Call } from './call.ts';
import type { Cluster } from './cluster.ts';
import { discover } from './discovery.ts';
import { readBody } from './http-body.ts';
import { present } from './kinds/present.ts';
import type { Fields } from './object.ts';
import { parseRequest } from './request-info.ts';
import { create } from './rest/create.ts';
import { deletedStatus, deleteMany, deleteOne } from './rest/delete.ts';
import { get, list, toList } from './rest/list.ts';
import { patch } from './rest/patch.ts';
import { update } from './rest/update.ts';
import { watch } from './rest/watch.ts';

const VERSION = { major: '1', minor: '36', gitVersion: 'v1.36.3+devcluster', platform: 'linux/amd64' };
const HEALTH = ['/healthz', '/livez', '/readyz'];

/** One request, from authentication to the answer. Never throws. */
export async function handle(
  cluster: Cluster,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    await answer(cluster, request, response);
  } catch (error) {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const known = error instanceof ApiError ? error : internalError(String(error));
    if (!(error instanceof ApiError)) console.error('devcluster API server:', error);
    send(response, known.status, known.toStatus());
  }
}

async function answer(cluster: Cluster, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'https://api');
  const user = await authenticate(cluster, request);
  const asked = parseRequest(request.method ?? '', url.pathname, url.searchParams);
  if (asked === undefined) return other(cluster, url.pathname, response);
  const resource = cluster.resources.find(asked.group, asked.version, asked.resource);
  if (resource === undefined || (asked.subresource !== '' && !(asked.subresource in resource.subresources)))
    throw new ApiError(404, 'NotFound', 'the server could not find the requested resource', {});
  const call: Call = {
    cluster,
    user,
    request: asked,
    resource,
    query: url.searchParams,
    dryRun: url.searchParams.get('dryRun') === 'All',
    warnings: [],
  };
  const mediaType = (request.headers['content-type'] ?? 'application/json').split(';')[0]?.trim() ?? '';
  if (asked.verb === 'watch') return watch(call, response);
  const body = request.method === 'GET' ? undefined : await readBody(request, mediaType);
  const [status, result] = await perform(call, mediaType, body);
  send(response, status, result, call.warnings);
}

async function perform(call: Call, mediaType: string, body: unknown): Promise<[status: number, Fields]> {
  const { verb, subresource } = call.request;
  const verbs =
    subresource === '' ? call.resource.verbs : (call.resource.subresources[subresource]?.verbs ?? []);
  if (!verbs.includes(verb)) throw methodNotAllowed();
  switch (verb) {
    case 'get':
      return [200, present(call, get(call))];
    case 'list':
      return [200, toList(call, list(call))];
    case 'create':
      return [201, present(call, await create(call, body))];
    case 'update':
      return [200, present(call, await update(call, body))];
    case 'patch':
      return [200, present(call, await patch(call, mediaType, body))];
    case 'delete': {
      const { object, gone } = await deleteOne(call, body);
      return [200, gone ? deletedStatus(call, object) : present(call, object)];
    }
    case 'deletecollection': {
      const objects = await deleteMany(call, body);
      return [
        200,
        toList(call, { objects, metadata: { resourceVersion: String(call.cluster.store.revision) } }),
      ];
    }
    default:
      throw methodNotAllowed();
  }
}

/** Paths that name no resource. */
function other(cluster: Cluster, pathname: string, response: ServerResponse): void {
  if (HEALTH.includes(pathname)) {
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end('ok');
    return;
  }
  if (pathname === '/version') {
    send(response, 200, VERSION);
    return;
  }
  const found = discover(pathname, cluster.resources.all(), cluster.address);
  if (found === undefined)
    response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n');
  else send(response, 200, found);
}

function send(
  response: ServerResponse,
  status: number,
  body: Fields,
  warnings: readonly string[] = [],
): void {
  const headers: Record<string, string | string[]> = {
    'content-type': 'application/json',
    'cache-control': 'no-cache, private',
  };
  if (warnings.length > 0)
    headers['warning'] = warnings.map(
      (warning) => `299 - "${warning.replaceAll(/["\\]/g, '\\$&').replaceAll('\n', ' ')}"`,
    );
  response.writeHead(status, headers).end(JSON.stringify(body));
}
