import { randomInt } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createBackoff } from '../run/backoff.ts';
import type { Projection, WatchHandle, WatchOptions } from './kube.ts';
import { KubeError } from './kube-error.ts';
import { ListPages } from './list-pages.ts';
import type { Transport } from './transport.ts';
import { readWatchEvents, type WatchEvent } from './watch-events.ts';
import { WatchStore } from './watch-store.ts';
import type { KubeObject, Resource } from './wire.ts';

/** A watch that lasted this long ended as watches do. */
const STEADY_MS = 5_000;

/**
 * List, then watch from that version; a broken watch resumes from the last version seen, bookmarks included. The server says that a version is too
 * old either as HTTP 410 or as an ERROR event inside a 200: both list anew, and what changed meanwhile comes as callbacks.
 */
export function startWatch<T extends KubeObject, S extends KubeObject = T>(
  transport: Transport,
  resource: Resource<T>,
  path: string,
  selectors: Readonly<Record<string, string | undefined>>,
  options: WatchOptions<S> & Projection<T, S>,
): WatchHandle<S> {
  const store = new WatchStore<S>(options);
  // Without a projection S is T.
  const project = options.project ?? ((object: T) => object as KubeObject as S);
  const { apiVersion, kind } = resource;
  const held = (received: T): S => project({ ...received, apiVersion, kind });
  const synced = Promise.withResolvers<void>();
  const backoff = createBackoff(100, options.maxPauseMs ?? 10_000);
  let isCurrent = false;
  let version: string | undefined;

  const pages = new ListPages<T>(transport, path, selectors);

  const listAll = async (): Promise<void> => {
    const items: S[] = [];
    let listed = '';
    for await (const page of pages.list(options.signal)) {
      // Page by page, so that what a projection drops is never there all at once.
      for (const item of page.items) items.push(held(item));
      listed = page.resourceVersion;
    }
    // Not before the last page: a list that broke off is none.
    version = listed || '0';
    store.replaceAll(items);
    isCurrent = true;
    synced.resolve();
  };

  const apply = (event: WatchEvent<T>): void => {
    if (event.type === 'ERROR') throw new KubeError(event.code, event.reason, event.message);
    if (event.type !== 'BOOKMARK') store.apply(event.type, held(event.object));
    version = event.object.metadata?.resourceVersion ?? version;
    backoff.reset();
  };

  const follow = async (): Promise<void> => {
    // The server ends the watch after this time; ours is a little longer, for a server that died without a word.
    const seconds = 240 + randomInt(120);
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout((seconds + 30) * 1000)]);
    const response: IncomingMessage = await transport.open({
      method: 'GET',
      path,
      query: {
        ...selectors,
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: version,
        timeoutSeconds: String(seconds),
      },
      signal,
    });
    response.socket?.setKeepAlive(true, 10_000);
    isCurrent = true;
    for await (const event of readWatchEvents<T>(response)) apply(event);
  };

  const loop = async (): Promise<void> => {
    while (!options.signal.aborted) {
      try {
        if (version === undefined) await listAll();
        const begun = performance.now();
        await follow();
        if (performance.now() - begun > STEADY_MS) backoff.reset();
        // Ended by the server: resume, but not in a tight loop when it ends each at once.
        await backoff.wait(options.signal);
      } catch (error) {
        if (options.signal.aborted) break;
        isCurrent = false;
        if (isExpired(error)) version = undefined;
        else options.onTrouble?.(error);
        await backoff.wait(options.signal);
      }
    }
    isCurrent = false;
    synced.resolve();
  };

  return {
    synced: synced.promise,
    current: () => isCurrent,
    get: (ref) => store.get(ref),
    list: () => store.list(),
    ended: loop(),
  };
}

function isExpired(error: unknown): boolean {
  return (
    error instanceof KubeError &&
    (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone')
  );
}
