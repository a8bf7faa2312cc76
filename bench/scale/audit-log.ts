import { closeSync, openSync, readSync } from 'node:fs';

/** What the API server was asked, by who asked: `agent`, `kubelet`, and so on; each a count by verb and resource. */
export type ApiCalls = ReadonlyMap<string, ReadonlyMap<string, number>>;

interface AuditEvent {
  readonly stage: string;
  readonly verb: string;
  readonly user?: { readonly username?: string };
  readonly objectRef?: { readonly resource?: string; readonly subresource?: string };
  readonly requestURI?: string;
}

const CHUNK = 4 * 1024 * 1024;

/** The API server's audit log, read on from where it was read last. */
export class AuditLog {
  readonly #file: string;
  #offset = 0;
  #rest = '';

  constructor(file: string) {
    this.#file = file;
  }

  /** Requests that ended, and watches that began, since the last call. */
  next(): ApiCalls {
    const calls = new Map<string, Map<string, number>>();
    for (const line of this.#lines()) {
      const event = JSON.parse(line) as AuditEvent;
      const watch = event.verb === 'watch';
      if (event.stage !== (watch ? 'ResponseStarted' : 'ResponseComplete')) continue;
      const { resource, subresource } = event.objectRef ?? {};
      const what =
        resource === undefined ? (event.requestURI ?? '') : [resource, subresource].filter(Boolean).join('/');
      const who = callerName(event.user?.username ?? '');
      const own = calls.get(who) ?? new Map<string, number>();
      calls.set(who, own);
      const key = `${event.verb} ${what}`;
      own.set(key, (own.get(key) ?? 0) + 1);
    }
    return calls;
  }

  #lines(): string[] {
    const file = openSync(this.#file, 'r');
    try {
      const buffer = Buffer.alloc(CHUNK);
      for (;;) {
        const length = readSync(file, buffer, 0, CHUNK, this.#offset);
        if (length === 0) break;
        this.#offset += length;
        this.#rest += buffer.toString('latin1', 0, length);
      }
    } finally {
      closeSync(file);
    }
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop() ?? '';
    return lines;
  }
}

function callerName(user: string): string {
  const component = /^system:serviceaccount:[^:]+:enclave-(\w+)$/.exec(user)?.[1];
  if (component !== undefined) return component;
  if (user.startsWith('system:node:')) return 'kubelet';
  return user.replace(/^system:(?:kube-)?/, '');
}

/** Requests of each caller, in all. */
export function totals(calls: ApiCalls): Map<string, number> {
  return new Map(
    [...calls].map(([who, own]) => [who, [...own.values()].reduce((sum, each) => sum + each, 0)]),
  );
}
