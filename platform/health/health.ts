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
  ready(): HealthReport;
  live(): HealthReport;
}

export function createHealth(): Health {
  const checks = new Map<string, { readonly ok: boolean; readonly text: string }>();
  let draining = false;
  let death: string | undefined;
  return {
    check: (name) => {
      checks.set(name, { ok: false, text: 'starting' });
      return {
        ok: (note) => void checks.set(name, { ok: true, text: note === undefined ? 'ok' : `ok; ${note}` }),
        fail: (reason) => void checks.set(name, { ok: false, text: reason }),
        end: () => void checks.delete(name),
      };
    },
    drain: () => {
      draining = true;
    },
    dead: (reason) => {
      death ??= reason;
    },
    ready: () => ({
      // Before the first part has said that it exists, nothing is ready: the page is served before the app runs.
      ok: !draining && death === undefined && checks.size > 0 && [...checks.values()].every(({ ok }) => ok),
      lines: [
        ...(checks.size === 0 ? ['process: starting'] : []),
        ...[...checks].map(([name, { text }]) => `${name}: ${text}`),
        ...(draining ? ['process: draining'] : []),
        ...(death === undefined ? [] : [`process: ${death}`]),
      ],
    }),
    live: () => ({ ok: death === undefined, lines: [`process: ${death ?? 'ok'}`] }),
  };
}
