import { homedir } from 'node:os';
import { processEnvironment } from '../../platform/config/environment.ts';
import { runEnclavectl } from './run-enclavectl.ts';

/** enclavectl as this process: its arguments, environment, streams and signals. Never returns. */
export async function runProcess(): Promise<never> {
  // Node would end with 1, which is a verdict's.
  process.on('uncaughtException', (error) => {
    console.error(`enclavectl: ${error.message} (internal)`);
    process.exit(5);
  });
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      if (abort.signal.aborted) process.exit(130);
      abort.abort();
    });
  // A reader that went away (head, less) is no fault of ours, and no reason to call a refused verdict good.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.exit(5);
  });

  const exitCode = await runEnclavectl({
    argv: process.argv.slice(2),
    environment: processEnvironment(),
    home: homedir(),
    streams: { out: process.stdout, err: process.stderr },
    stdin: process.stdin,
    signal: abort.signal,
    now: () => Math.floor(Date.now() / 1000),
  });
  process.exit(exitCode);
}
