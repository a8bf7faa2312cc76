import type { Logger } from '../platform/log/logger.ts';
import { type CallerRules, parseClientRoots, parseTokens } from './callers.ts';
import { followFile } from './follow-file.ts';

export interface CallerFiles {
  readonly clientCaFile: string | undefined;
  readonly clientNames: readonly string[];
  readonly clientTokenFile: string | undefined;
}

/** Who may call, from the operator's files, followed; undefined when there are none. Waits until each is there and good: nobody may call before. */
export async function followCallers(
  { clientCaFile, clientNames, clientTokenFile }: CallerFiles,
  now: () => number,
  log: Logger,
  signal: AbortSignal,
): Promise<CallerRules | undefined> {
  if (clientCaFile === undefined && clientTokenFile === undefined) return undefined;
  const common = { log, signal };
  return {
    now,
    clientNames,
    ...(clientCaFile !== undefined && {
      clientRoots: await followFile({
        ...common,
        path: clientCaFile,
        what: 'roots of callers',
        parse: parseClientRoots,
      }),
    }),
    ...(clientTokenFile !== undefined && {
      tokens: await followFile({ ...common, path: clientTokenFile, what: 'tokens', parse: parseTokens }),
    }),
  };
}
