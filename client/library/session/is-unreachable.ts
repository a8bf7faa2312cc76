import { RpcError } from '../../../platform/rpc/rpc-error.ts';
import { Failure } from '../../failure.ts';

const SYSTEM =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|ETIMEDOUT|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|ENOTFOUND|EAI_AGAIN|EPIPE)$/;

/** Whether nobody could be asked, or whoever was asked is busy: a reason to try again. Whatever else went wrong is an answer. */
export function isUnreachable(error: unknown): boolean {
  if (error instanceof Failure) return error.kind === 'unreachable';
  if (error instanceof RpcError)
    return error.status === 'UNAVAILABLE' || error.status === 'DEADLINE_EXCEEDED';
  if (!(error instanceof Error)) return false;
  if (error.name === 'TimeoutError') return true;
  // An HTTP request that a time limit ended.
  if (error.name === 'AbortError') return error.cause instanceof Error && error.cause.name === 'TimeoutError';
  return 'code' in error && SYSTEM.test(String(error.code));
}
