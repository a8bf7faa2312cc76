import type { IncomingMessage } from 'node:http';
import type { KubeObject } from './wire.ts';

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: T }
  | { readonly type: 'ERROR'; readonly code: number; readonly reason: string; readonly message: string };

const MAX_LINE = 8 * 1024 * 1024;

/** The events of a watch's answer: one JSON object a line, which may be cut anywhere between two chunks. */
export async function* readWatchEvents<T extends KubeObject>(
  response: IncomingMessage,
): AsyncGenerator<WatchEvent<T>> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let pending = '';
  for await (const chunk of response) {
    pending += decoder.decode(chunk as Buffer, { stream: true });
    let newline = pending.indexOf('\n');
    while (newline >= 0) {
      const line = pending.slice(0, newline);
      pending = pending.slice(newline + 1);
      if (line.trim() !== '') yield toEvent<T>(JSON.parse(line));
      newline = pending.indexOf('\n');
    }
    if (pending.length > MAX_LINE) throw new Error(`a watch event is over ${MAX_LINE} characters`);
  }
}

function toEvent<T extends KubeObject>(parsed: unknown): WatchEvent<T> {
  const event = parsed as { type?: unknown; object?: unknown };
  if (typeof event.object !== 'object' || event.object === null)
    throw new Error('a watch event without an object');
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
    case 'BOOKMARK':
      return { type: event.type, object: event.object as T };
    case 'ERROR': {
      const status = event.object as { code?: number; reason?: string; message?: string };
      return {
        type: 'ERROR',
        code: status.code ?? 500,
        reason: status.reason ?? '',
        message: status.message ?? 'watch error',
      };
    }
    default:
      throw new Error(`unknown watch event ${String(event.type)}`);
  }
}
