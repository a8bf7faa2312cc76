export interface HealthReport {
  readonly ok: boolean;
  /** One line a check: `name: ok`, `name: ok; note` or `name: reason`. */
  readonly lines: readonly string[];
}

export interface HealthCheck {
  /** `note`: what an operator should know all the same, in one line without secrets. */
  ok(note?: string): void;
  /** Why not, in one line without secrets: the page is readable by whoever reaches the port. */
  fail(reason: string): void;
  /** It is no part of readiness any more: what it watched over has ended, the process has not. */
  end(): void;
}

/** What /livez and /readyz answer. A check starts as failed, so nothing is ready before each part has said so. */
export interface Health {
  /** Part of readiness, by name: `identity`, `trust-document`. */
  check(name: string): HealthCheck;
  /** Readiness ends at once and for good: the process drains. */
  drain(): void;
  /** Something that only a restart mends. */
  dead(reason: string): void;
  /** @param name of one check, to hear of that alone */
  ready(name?: string): HealthReport;
  live(): HealthReport;
  /** Resolves when it becomes ready, or after so long, or with the signal. */
  untilReady(milliseconds: number, name?: string, signal?: AbortSignal): Promise<void>;
}

export function createHealth(): Health {
  const checks = new Map<string, { readonly ok: boolean; readonly text: string }>();
  /** Told of each check that may have made us ready. */
  const waiting = new Set<() => void>();
  let draining = false;
  let death: string | undefined;
  const tell = (): void => {
    for (const each of waiting) each();
  };
  const isReady = (name?: string): boolean => {
    const asked = name === undefined ? [...checks.values()] : [checks.get(name)];
    // Before the first part has said that it exists, nothing is ready: the page is served before the app runs.
    return !draining && death === undefined && asked.length > 0 && asked.every((each) => each?.ok === true);
  };
  return {
    check: (name) => {
      checks.set(name, { ok: false, text: 'starting' });
      return {
        ok: (note) => {
          checks.set(name, { ok: true, text: note === undefined ? 'ok' : `ok; ${note}` });
          tell();
        },
        fail: (reason) => void checks.set(name, { ok: false, text: reason }),
        end: () => {
          checks.delete(name);
          tell();
        },
      };
    },
    drain: () => {
      draining = true;
    },
    dead: (reason) => {
      death ??= reason;
    },
    ready: (name) => ({
      ok: isReady(name),
      lines: [
        ...(checks.size === 0 ? ['process: starting'] : []),
        ...[...checks].flatMap(([each, { text }]) =>
          name === undefined || name === each ? [`${each}: ${text}`] : [],
        ),
        ...(draining ? ['process: draining'] : []),
        ...(death === undefined ? [] : [`process: ${death}`]),
      ],
    }),
    live: () => ({ ok: death === undefined, lines: [`process: ${death ?? 'ok'}`] }),
    untilReady: (milliseconds, name, signal) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (isReady(name)) over();
        };
        const over = (): void => {
          clearTimeout(timer);
          waiting.delete(look);
          resolve();
        };
        const timer = setTimeout(over, milliseconds).unref();
        waiting.add(look);
        signal?.addEventListener('abort', over, { once: true });
      }),
  };
}
