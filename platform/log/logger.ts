export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Structured logs: one JSON object a line. Fields hold ids and reasons, never secrets; what looks like one is redacted all the same. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A logger that adds these fields to each line: a request id, a launch id. */
  child(fields: object): Logger;
}

export interface LogSettings {
  readonly component: string;
  readonly level: LogLevel;
  /** Where lines go; standard output when absent. */
  readonly write?: (line: string) => void;
}

/** How `run` is given a logger: pino for most components, a small one in the sidecar. */
export type LoggerFactory = (settings: LogSettings) => Logger;

/** Discards everything: for tests and tools. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
