import { once } from 'node:events';
import { explain } from '../platform/run/explain.ts';
import { type Devcluster, startDevcluster } from './app.ts';
import { obeyCommands } from './commands.ts';
import { type ContainerRuntime, launchContainer } from './node/container-launch.ts';
import { parseOptions, USAGE, UsageError } from './options.ts';

/**
 * The devcluster as a process: one JSON line when it is ready, everything ended on SIGTERM, SIGINT or SIGHUP. Resolves to the exit
 * code: 0 ended by a signal, 1 could not start, 2 wrong use.
 * @param runtime how the nodes run containers, when not as processes
 */
export async function serve(
  argv: readonly string[],
  runtime: ContainerRuntime = launchContainer,
): Promise<number> {
  const ending = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => ending.abort());
  const ended = once(ending.signal, 'abort');
  let cluster: Devcluster | undefined;
  try {
    const options = parseOptions(argv);
    if (options === 'help') {
      process.stdout.write(USAGE);
      return 0;
    }
    cluster = await startDevcluster(options, ending.signal, runtime);
    process.stdout.write(`${JSON.stringify(cluster.ready)}\n`);
    const commands = options.stdin
      ? [obeyCommands(cluster, process.stdin, (line) => process.stdout.write(`${line}\n`))]
      : [];
    await Promise.race([ended, ...commands]);
    return 0;
  } catch (error) {
    process.stderr.write(`devcluster: ${explain(error)}\n`);
    return error instanceof UsageError ? 2 : 1;
  } finally {
    await cluster?.close();
  }
}
