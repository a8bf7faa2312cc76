import { type DestinationStream, pino } from 'pino';
import type { Logger, LoggerFactory } from './logger.ts';
import { redact, redactText } from './redact.ts';

/** JSON lines by pino: `time` in ISO 8601, `level` as a word, `component`, the fields, `msg`. */
export const pinoLogger: LoggerFactory = ({ component, level, write }) => {
  const settings = {
    level,
    base: { component },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const destination: DestinationStream =
    write === undefined ? pino.destination({ dest: 1, sync: true }) : { write };
  return wrap(pino(settings, destination));
};

type Pino = ReturnType<typeof pino>;

function wrap(target: Pino): Logger {
  const line =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (fields: object, message: string): void => {
      // Redaction walks the fields: only for lines that are written.
      if (target.isLevelEnabled(level)) target[level](fieldsOf(fields), redactText(message));
    };
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    child: (fields) => wrap(target.child(fieldsOf(fields))),
  };
}

function fieldsOf(fields: object): object {
  const safe = redact(fields instanceof Error ? { error: fields } : fields);
  return typeof safe === 'object' && safe !== null ? safe : {};
}
