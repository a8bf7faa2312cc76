import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError, forbidden, internalError } from './api-error.ts';
import { authenticate } from './authentication.ts';
import type { Attributes } from './authorization/attributes.ts';
import { authorize, refusal } from './authorization/authorize.ts';
import type { Call } from './call.ts';
import type { Cluster } from './cluster.ts';
import { readBody } from './http-body.ts';
import { servePath } from './paths.ts';
import { perform } from './perform.ts';
import { parseRequest, type ResourceRequest } from './request-info.ts';
import { watch } from './rest/watch.ts';
import { send } from './send.ts';
import { podLog } from './special/pod-log.ts';
import { asTable, wantsTable } from './table/table.ts';

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
    // What the client still sends belongs to nobody.
    request.resume();
    send(response, known.status, known.toStatus());
  }
}

async function answer(cluster: Cluster, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'https://api');
  const user = await authenticate(cluster, request);
  const asked = parseRequest(request.method ?? '', url.pathname, url.searchParams);
  const attributes = attributesOf(request.method ?? '', url, asked);
  const decision = authorize(cluster, user, attributes);
  if (asked === undefined) {
    if (!decision.allowed)
      throw new ApiError(403, 'Forbidden', `forbidden: ${refusal(user, attributes, decision)}`, {});
    await servePath(cluster, url.pathname, response);
    return;
  }
  if (!decision.allowed)
    throw forbidden(
      { group: asked.group, plural: asked.resource, kind: '' },
      asked.name,
      refusal(user, attributes, decision),
    );
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
    accept: request.headers.accept ?? '',
  };
  if (asked.verb === 'watch') {
    watch(call, response, wantsTable(call.accept) ? (object) => asTable(call, object) : undefined);
    return;
  }
  if (asked.subresource === 'log' && asked.verb === 'get') {
    await podLog(call, response);
    return;
  }
  const mediaType = (request.headers['content-type'] ?? 'application/json').split(';')[0]?.trim() ?? '';
  const body = request.method === 'GET' ? undefined : await readBody(request, mediaType);
  const { status, result } = await perform(call, mediaType, body);
  const shown = request.method === 'GET' && wantsTable(call.accept) ? asTable(call, result) : result;
  send(response, status, shown, call.warnings);
}

function attributesOf(method: string, url: URL, asked: ResourceRequest | undefined): Attributes {
  if (asked === undefined) return { verb: method.toLowerCase(), path: url.pathname };
  const fieldSelector = url.searchParams.get('fieldSelector');
  const { verb, group, resource, subresource, namespace, name } = asked;
  return {
    ...{ verb, group, resource, subresource, namespace, name },
    ...(fieldSelector === null ? {} : { fieldSelector }),
  };
}
