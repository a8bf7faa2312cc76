import { RpcRefusal } from '../../../platform/rpc/rpc-error.ts';
import type { TrustClient } from '../../trust/trust-client.ts';
import { LaunchFailure } from '../launch-failure.ts';

/**
 * Hands an owner's signed revocation on to the certificate service, which judges it: nothing of it is the launcher's to say.
 * @returns the trust document's version that holds it
 * @throws LaunchFailure `revocation-refused` with the certificate service's reason; other errors may pass
 */
export async function revokeGrant(
  trustService: Pick<TrustClient, 'revoke'>,
  revocation: Uint8Array,
  signature: Uint8Array,
  signal: AbortSignal,
): Promise<bigint> {
  try {
    const subject = {
      $case: 'grant' as const,
      value: { revocation: Buffer.from(revocation), signature: Buffer.from(signature) },
    };
    return (await trustService.revoke({ subject }, { signal })).version;
  } catch (error) {
    if (error instanceof RpcRefusal && error.status !== 'UNAVAILABLE')
      throw new LaunchFailure('revocation-refused', `${error.message} (${error.code}): ${error.remedy}`);
    throw error;
  }
}
