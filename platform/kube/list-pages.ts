import { AnswerTooLarge, type Transport } from './transport.ts';
import type { KubeObject } from './wire.ts';

/** Objects of one answer. Each answer is parsed at once, which holds up everything else. */
const PAGE = 500;
/** Of a page. One object is at most 3 MiB. */
const MAX_PAGE_BYTES = 16 * 1024 * 1024;

export interface ListPage<T> {
  readonly items: readonly T[];
  /** The version of the whole list: the same for each of its pages. */
  readonly resourceVersion: string;
}

interface Answer<T> {
  readonly items?: readonly T[];
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
}

/** Lists of one collection, each page by page: however many objects there are, few of them are in memory as the API server sends them. */
export class ListPages<T extends KubeObject> {
  readonly #transport: Transport;
  readonly #path: string;
  readonly #query: Readonly<Record<string, string | undefined>>;
  #limit = PAGE;

  constructor(transport: Transport, path: string, query: Readonly<Record<string, string | undefined>>) {
    this.#transport = transport;
    this.#path = path;
    this.#query = query;
  }

  /** One list. @throws KubeError, 410 among them when the list took too long; a connection's own error */
  async *list(signal?: AbortSignal): AsyncGenerator<ListPage<T>> {
    let next: string | undefined;
    do {
      const { items = [], metadata } = await this.#page(next, signal);
      next = metadata?.continue || undefined;
      yield { items, resourceVersion: metadata?.resourceVersion ?? '' };
    } while (next !== undefined);
  }

  async #page(next: string | undefined, signal: AbortSignal | undefined): Promise<Answer<T>> {
    for (;;)
      try {
        const query = { ...this.#query, limit: String(this.#limit), continue: next };
        const call = { method: 'GET', path: this.#path, query, maxBytes: MAX_PAGE_BYTES } as const;
        return JSON.parse(await this.#transport.send({ ...call, ...(signal && { signal }) })) as Answer<T>;
      } catch (error) {
        if (!(error instanceof AnswerTooLarge) || this.#limit === 1) throw error;
        // Fewer at a time, from now on: somebody's objects are large.
        this.#limit = Math.max(1, this.#limit >> 2);
      }
  }
}
