import { homedir } from 'node:os';
import { processEnvironment } from '../../platform/config/environment.ts';
import { explain } from '../../platform/run/explain.ts';
import { EXIT } from './exit-code.ts';
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
  const { stdout } = process;
  // A reader that went away (head, less) is no fault of ours, and no reason to call a refused verdict good. An answer that is lost, on a full disk, is.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    console.error(`enclavectl: standard output cannot be written: ${explain(error)} (output-failed)`);
    process.exit(EXIT.fault);
  });

  const exitCode = await runEnclavectl({
    argv: process.argv.slice(2),
    environment: processEnvironment(),
    home: homedir(),
    streams: { out: stdout, err: process.stderr },
    stdin: process.stdin,
    signal: abort.signal,
    now: () => Math.floor(Date.now() / 1000),
  });
  // What was written last is out, or has failed.
  await new Promise<void>((resolve) => stdout.write('', () => resolve()));
  process.exit(exitCode);
}
