import type { RpcCall } from '../../platform/rpc/rpc-call.ts';
import { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import { explain } from '../../platform/run/explain.ts';
import type {
  LaunchRequest,
  LaunchResponse,
} from '../../proto/gen/enclave_licensing/launcher/v1/launcher.ts';
import { Phase } from '../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { launchRefusal } from '../codes/launch-status.ts';
import { phaseName } from '../codes/phase-name.ts';
import { launch } from './launch/launch.ts';
import { LaunchFailure } from './launch-failure.ts';
import type { LauncherWorld } from './launcher-world.ts';

/** The call: one launch or stop of an enclave at a time, a time limit, and failures as the refusals they are. */
export async function* launchCall(
  world: LauncherWorld,
  request: LaunchRequest,
  call: RpcCall,
): AsyncGenerator<LaunchResponse> {
  const { locks, clock, metrics } = world;
  const log = call.log.child({ enclave: request.enclave });
  const started = clock.now();
  const timeoutMs = request.timeoutMs > 0 ? request.timeoutMs : world.launchTimeoutMs;
  const timeout = AbortSignal.timeout(Math.min(timeoutMs, 3_600_000));
  const lock = await locks.enter(request.enclave);
  const ended = AbortSignal.any([call.signal, lock.signal]);
  let reached: Phase = Phase.PHASE_SEAT;
  let trouble = '';
  let outcome = 'ended';
  try {
    const onTrouble = (reason: string): void => {
      trouble = reason;
      log.debug({ trouble }, 'launch waits');
    };
    for await (const response of launch(world, request, { timeout, ended }, onTrouble)) {
      if (response.event?.$case === 'progress') {
        reached = response.event.value.phase;
        trouble = '';
        metrics.phaseReached(phaseName(reached), clock.now() - started);
        log.info({ phase: phaseName(reached) }, response.event.value.message);
      } else outcome = 'ready';
      yield response;
    }
  } catch (error) {
    if (error instanceof LaunchFailure) {
      outcome = error.code;
      log.warn({ code: error.code, phase: phaseName(reached) }, error.message);
      throw launchRefusal(error.code, error.message);
    }
    if (lock.signal.aborted)
      throw new RpcRefusal('ABORTED', {
        code: 'superseded',
        message: 'another call took this enclave over',
        remedy: 'follow that one',
      });
    if (call.signal.aborted || !timeout.aborted) throw error;
    outcome = 'launch-timeout';
    const why = trouble === '' ? explain(error) : trouble;
    throw launchRefusal(
      'launch-timeout',
      `not ready in time; the last phase reached was ${phaseName(reached)}: ${why}`,
    );
  } finally {
    metrics.launched(outcome);
    lock.leave();
  }
}
