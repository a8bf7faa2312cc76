import { homedir } from 'node:os';
import { processEnvironment } from '../../platform/config/environment.ts';
import { runEnclavectl } from './run-enclavectl.ts';

const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (abort.signal.aborted) process.exit(130);
    abort.abort();
  });
// A reader that went away (head, less) is no fault of ours.
process.stdout.on('error', () => process.exit(0));

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
