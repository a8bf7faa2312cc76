import { RpcError, RpcRefusal } from '../../../platform/rpc/rpc-error.ts';
import { isLaunchCode } from '../../codes/launch-code.ts';
import { frontRefusal } from '../front-refusal.ts';

/** The launcher's answer. Its refusals are the user's; what else goes wrong on the way is UNAVAILABLE, and worth another try. */
export async function viaLauncher<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RpcRefusal && isLaunchCode(error.code)) throw error;
    if (!(error instanceof RpcError) || error.name === 'AbortError') throw error;
    throw frontRefusal(
      {
        code: 'launcher-away',
        message: 'the launcher cannot be reached',
        remedy: 'try again in a few seconds',
      },
      { retryAfterMs: 2000 },
    );
  }
}
