import { CommanderError } from 'commander';
import { ConfigError } from '../../platform/config/config-error.ts';
import { RpcError, RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import type { StatusName } from '../../platform/rpc/status.ts';
import { explain } from '../../platform/run/explain.ts';
import { Failure, type FailureKind } from '../failure.ts';
import { isUnreachable } from '../library/session/is-unreachable.ts';

/** What scripts rely on. 1 is a verdict that refuses, and nothing else; of `doctor`, warnings alone, and 2 something worse. */
export const EXIT = {
  good: 0,
  verdict: 1,
  usage: 2,
  unreachable: 3,
  'not-allowed': 4,
  fault: 5,
  warning: 1,
  problem: 2,
  interrupted: 130,
} as const satisfies Record<FailureKind | 'good' | 'interrupted', number>;

const BY_STATUS: Readonly<Partial<Record<StatusName, FailureKind>>> = {
  INVALID_ARGUMENT: 'usage',
  NOT_FOUND: 'usage',
  ALREADY_EXISTS: 'usage',
  OUT_OF_RANGE: 'usage',
  UNAVAILABLE: 'unreachable',
  DEADLINE_EXCEEDED: 'unreachable',
  UNAUTHENTICATED: 'not-allowed',
  PERMISSION_DENIED: 'not-allowed',
  // No seat, too many attempts, not in that state: the server understood, and will not.
  RESOURCE_EXHAUSTED: 'not-allowed',
  FAILED_PRECONDITION: 'not-allowed',
  ABORTED: 'not-allowed',
};

/** What the system says of a file or an address that somebody has named wrongly. */
const WRONG_NAMES: ReadonlySet<string> = new Set([
  ...['ENOENT', 'EACCES', 'EISDIR', 'ENOTDIR', 'ENXIO', 'ELOOP', 'ENAMETOOLONG'],
  'EADDRINUSE',
]);

export interface Ending {
  readonly exit: number;
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

/** Why a command ended: exit code, and what to tell. */
export function endingOf(error: unknown, interrupted: boolean): Ending {
  if (interrupted) return { exit: EXIT.interrupted, code: 'interrupted', message: 'interrupted', remedy: '' };
  if (error instanceof Failure)
    return { exit: EXIT[error.kind], code: error.code, message: error.message, remedy: error.remedy };
  if (error instanceof RpcRefusal)
    return {
      exit: EXIT[BY_STATUS[error.status] ?? 'fault'],
      code: error.code,
      message: error.message,
      remedy: error.remedy,
    };
  if (error instanceof RpcError)
    return {
      exit: EXIT[BY_STATUS[error.status] ?? 'fault'],
      code: error.status.toLowerCase().replaceAll('_', '-'),
      message: error.message,
      remedy: BY_STATUS[error.status] === 'unreachable' ? 'check --server and --ca, then try again' : '',
    };
  if (error instanceof CommanderError || error instanceof ConfigError)
    return {
      exit: EXIT.usage,
      code: 'wrong-use',
      message: error.message.replace(/^error: /, '').replaceAll('\n', ' '),
      remedy: 'enclavectl help shows the commands',
    };
  const system = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (isUnreachable(error))
    return { exit: EXIT.unreachable, code: 'unreachable', message: explain(error), remedy: 'try again' };
  if (WRONG_NAMES.has(system))
    return {
      exit: EXIT.usage,
      code: system.toLowerCase(),
      message: explain(error),
      remedy: 'check the name',
    };
  return { exit: EXIT.fault, code: 'internal', message: explain(error), remedy: 'report this' };
}
