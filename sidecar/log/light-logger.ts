import { LOG_LEVELS, type Logger, type LoggerFactory } from '../../platform/log/logger.ts';
import { redact, redactText } from '../../platform/log/redact.ts';

/** The same JSON lines as pino's (time, level, component, fields, msg), without loading pino: the sidecar runs in every pod. */
export const lightLogger: LoggerFactory = ({ component, level, write }) => {
  const least = LOG_LEVELS.indexOf(level);
  const out = write ?? ((line: string) => void process.stdout.write(line));
  const withFields = (base: object): Logger => {
    const line = (name: (typeof LOG_LEVELS)[number]) => {
      if (LOG_LEVELS.indexOf(name) < least) return () => {};
      return (fields: object, message: string): void => {
        const safe = redact(fields instanceof Error ? { error: fields } : fields);
        const time = new Date().toISOString();
        out(
          `${JSON.stringify({ level: name, time, component, ...base, ...Object(safe), msg: redactText(message) })}\n`,
        );
      };
    };
    return {
      debug: line('debug'),
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
      child: (fields) => withFields({ ...base, ...Object(redact(fields)) }),
    };
  };
  return withFields({});
};
