import type { RpcCall } from '../../platform/rpc/rpc-call.ts';
import { RpcError, RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import type { Handlers } from '../../platform/rpc/service.ts';
import { explain } from '../../platform/run/explain.ts';
import type { LauncherServiceService } from '../../proto/gen/enclave_licensing/launcher/v1/launcher_service.ts';
import { launchRefusal } from '../codes/launch-status.ts';
import { revokeGrant } from './certificates/revoke-grant.ts';
import { issueUserCertificate } from './certificates/user-certificate.ts';
import { enclaveEvidence } from './evidence/enclave-evidence.ts';
import { whyNotHandedOut } from './launch/judge-pod.ts';
import { LaunchFailure } from './launch-failure.ts';
import { launchCall } from './launch-service.ts';
import type { LauncherWorld } from './launcher-world.ts';
import { listLaunched, listPods } from './pods/list-pods.ts';
import { removeEnclave } from './pods/remove-enclave.ts';

/** What front alone may call. `whyNot` says why a caller is not front. */
export function launcherHandlers(
  world: LauncherWorld,
  whyNot: (certificate: Uint8Array | undefined) => string | undefined,
): Handlers<typeof LauncherServiceService> {
  const { kube, namespaces, locks, metrics } = world;

  const admit = (call: RpcCall): void => {
    const reason = whyNot(call.peer.certificate);
    if (reason === undefined) return;
    call.log.warn({ reason, peer: call.peer.address }, 'a caller that is not front');
    throw new RpcRefusal('PERMISSION_DENIED', {
      code: 'caller-not-front',
      message: `only front may call: ${reason}`,
      remedy: 'log in at front',
    });
  };

  return {
    async *launch(request, call) {
      admit(call);
      yield* launchCall(world, request, call);
    },

    async evidence({ enclave, nonce }, call) {
      admit(call);
      return answer(async () => {
        try {
          const [pod] = (await listPods(kube, namespaces, enclave)).filter(
            ({ metadata }) => metadata?.deletionTimestamp === undefined,
          );
          if (pod === undefined) throw new LaunchFailure('pod-gone', `enclave ${enclave} has no pod`);
          const bare = whyNotHandedOut(pod, enclave, world);
          if (bare !== undefined) throw bare;
          return { bundle: await enclaveEvidence(world, enclave, pod, nonce, call.signal) };
        } catch (error) {
          if (error instanceof LaunchFailure || call.signal.aborted) throw error;
          // One call, one try: who asked decides whether to ask again, and has to know what is wrong.
          throw new LaunchFailure('evidence-unavailable', `no evidence at this moment: ${explain(error)}`);
        }
      });
    },

    async stop({ enclave }, call) {
      admit(call);
      const lock = await locks.enter(enclave);
      try {
        const signal = AbortSignal.any([call.signal, lock.signal]);
        await answer(() => removeEnclave(world, enclave, signal));
        call.log.info({ enclave }, 'enclave removed');
        return {};
      } finally {
        lock.leave();
      }
    },

    async list(_request, call) {
      admit(call);
      return answer(async () => ({ pods: await listLaunched(kube, namespaces) }));
    },

    async issueUserCertificate(request, call) {
      admit(call);
      let outcome: 'issued' | 'denied' | 'failed' = 'failed';
      try {
        const certificateChain = await answer(() =>
          issueUserCertificate(kube, request, call.log, call.signal).catch((error: unknown) => {
            if (error instanceof LaunchFailure) outcome = 'denied';
            throw error;
          }),
        );
        outcome = 'issued';
        return { certificateChain };
      } finally {
        metrics.userCertificate(outcome);
      }
    },

    async revokeGrant({ revocation, signature }, call) {
      admit(call);
      return answer(async () => ({
        trustDocumentVersion: await revokeGrant(world.trustService, revocation, signature, call.signal),
      }));
    },
  };
}

/** Failures as refusals; everything else (API server or sidecar away) as UNAVAILABLE, for front to try again. */
async function answer<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof LaunchFailure) throw launchRefusal(error.code, error.message);
    if (error instanceof Error && error.name === 'AbortError') throw error;
    throw new RpcError('UNAVAILABLE', explain(error));
  }
}
