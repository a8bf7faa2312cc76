import type { ServerResponse } from 'node:http';
import { badRequest, expired } from '../api-error.ts';
import type { Call } from '../call.ts';
import { present } from '../kinds/present.ts';
import type { Fields, KubeObject } from '../object.ts';
import { apiVersionOf } from '../resource.ts';
import { type Matcher, parseSelectors } from '../selectors.ts';
import type { Change } from '../store.ts';

const BOOKMARK_EVERY_MS = 10_000;
const LONGEST_MS = 60 * 60 * 1000;

/**
 * GET with `watch=true`: a stream of `{type, object}` lines. Without a resourceVersion (or with 0) it begins with the
 * objects that are there; with one it resumes after it, or sends an ERROR event (410 Expired) when history does not
 * reach back. It ends after `timeoutSeconds`, when the client goes, or when the server closes.
 */
export function watch(
  call: Call,
  response: ServerResponse,
  encode: (object: Fields) => Fields = (object) => object,
): void {
  const { cluster, resource, request, query } = call;
  const bySelector = parseSelectors(resource.kind, query);
  const matches: Matcher = (object) =>
    (request.namespace === undefined ||
      !resource.namespaced ||
      object.metadata.namespace === request.namespace) &&
    (request.name === '' || object.metadata.name === request.name) &&
    bySelector(object);
  const from = parseRevision(query.get('resourceVersion') ?? '');
  const initial = query.get('sendInitialEvents') === 'true';
  const bookmarks = query.get('allowWatchBookmarks') === 'true';
  const seconds = Number(query.get('timeoutSeconds') ?? '0');

  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' });
  const send = (type: string, object: Fields): void => {
    response.write(`${JSON.stringify({ type, object })}\n`);
  };
  const sendObject = (type: string, object: KubeObject): void => send(type, encode(present(call, object)));
  const bookmark = (annotations?: Record<string, string>): void =>
    send('BOOKMARK', {
      kind: resource.kind,
      apiVersion: apiVersionOf(resource),
      metadata: {
        resourceVersion: String(cluster.store.revision),
        creationTimestamp: null,
        ...(annotations === undefined ? {} : { annotations }),
      },
    });

  if (from === 0 || initial) {
    for (const object of cluster.store.list(resource.table)) if (matches(object)) sendObject('ADDED', object);
    if (initial && bookmarks) bookmark({ 'k8s.io/initial-events-end': 'true' });
  } else {
    const missed = cluster.store.since(resource.table, from);
    if (missed === undefined) {
      const error = expired(`too old resource version: ${from} (${cluster.store.revision})`);
      send('ERROR', error.toStatus());
      response.end();
      return;
    }
    for (const change of missed) tell(change, matches, sendObject);
  }
  response.flushHeaders();
  const unsubscribe = cluster.store.subscribe(resource.table, (change) => tell(change, matches, sendObject));
  const ticking = bookmarks ? setInterval(bookmark, BOOKMARK_EVERY_MS) : undefined;
  const end = (): void => {
    response.end();
  };
  const ending = setTimeout(end, seconds > 0 ? Math.min(seconds * 1000, LONGEST_MS) : LONGEST_MS);
  cluster.closing.signal.addEventListener('abort', end);
  response.on('close', () => {
    unsubscribe();
    clearInterval(ticking);
    clearTimeout(ending);
    cluster.closing.signal.removeEventListener('abort', end);
  });
}

function parseRevision(asked: string): number {
  if (asked === '') return 0;
  if (!/^\d+$/.test(asked)) throw badRequest(`resourceVersion: Invalid value: "${asked}": invalid syntax`);
  return Number(asked);
}

/** A change as one watcher sees it: an object that leaves its selector is deleted for it, one that enters is added. */
function tell(change: Change, matches: Matcher, send: (type: string, object: KubeObject) => void): void {
  const { type, object, previous } = change;
  const was = previous !== undefined && matches(previous);
  if (type === 'DELETED') {
    if (was) send('DELETED', object);
    return;
  }
  const is = matches(object);
  if (is) send(was ? 'MODIFIED' : 'ADDED', object);
  else if (was) send('DELETED', object);
}
