import type { Logger } from '../../platform/log/logger.ts';
import { pinoLogger } from '../../platform/log/pino-logger.ts';

/** The real logger, its lines kept instead of written. */
export function recordingLogger(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  return {
    log: pinoLogger({ component: 'test', level: 'debug', write: (line) => void lines.push(line) }),
    lines,
  };
}
